"""Reports of a real run: the notebook that was executed in the image beside the laptop's."""

import html
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.loop.conftest import Captured, repro

pytestmark = pytest.mark.engine


def test_a_real_run_has_its_notebook_its_layers_and_its_packages_in_the_page(
    captured: Captured, tmp_path: Path
) -> None:
    reports = [f"--report={name}={tmp_path / name}" for name in ("html", "junit", "markdown")]
    done = repro(captured.root, "verify", captured.tag, *reports)
    assert done.code == 0, done
    page = (tmp_path / "html").read_text(encoding="utf-8")
    frame = html.unescape(page.partition('srcdoc="')[2].partition('"')[0])
    assert "loadtxt" in frame
    assert "It is what the captured run showed, too." in page
    assert "show something else" not in frame
    for part in (
        "as the lock predicts",
        "wheel-numpy",
        "CPUs",
        "værdier 1.csv",
    ):
        assert part in page
    assert {case.get("name") for case in ET.parse(tmp_path / "junit").iter("testcase")} >= {"rmse", "n", "nothing"}
    assert "✅ verified" in (tmp_path / "markdown").read_text(encoding="utf-8")
