"""The project's own path, as far as its code names it."""

from pathlib import Path

import pytest

from repro.capture.absolute import named_root
from repro.digest import Digest
from repro.lock import LockedFile

ROOT = Path("/home/ada/churn")


@pytest.mark.parametrize(
    "source",
    ["open('/home/ada/churn/data/x.csv')", "os.chdir('/home/ada/churn')", "x = '/home/ada/churns:/home/ada/churn'"],
)
def test_a_named_project_is_kept_working_and_told(source: str) -> None:
    root, (warning,) = named_root(ROOT, ["import os", source], ())
    assert root == "/home/ada/churn"
    assert "/home/ada/churn" in warning


@pytest.mark.parametrize("source", ["open('data/x.csv')", "open('/home/ada/churn-2/x')", "open('/home/ada/churn.csv')"])
def test_other_paths_are_none(source: str) -> None:
    assert named_root(ROOT, [source], ()) == (None, ())


def test_configuration_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "paths.yaml").write_text(f"data: {tmp_path}/data\n")
    file = LockedFile("paths.yaml", "config", Digest.of(b""), 10)
    assert named_root(tmp_path, [], [file])[1]


@pytest.mark.parametrize("root", ["/tmp/churn", "/work/churn", "/opt/churn"])
def test_places_that_an_image_cannot_have_are_told(root: str) -> None:
    found, (warning,) = named_root(Path(root), [f"open('{root}/x')"], ())
    assert found is None
    assert "something else" in warning
