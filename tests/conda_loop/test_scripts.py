"""A package whose script ran on the laptop, from there to an image in which it runs or is left out, as asked."""

import json
from pathlib import Path

import pytest

from repro.engines import ImageInfo
from repro.errors import ExitCode
from repro.lock import load_lock
from tests.conda_channel.environments import make_environment
from tests.conda_channel.server import ChannelServer
from tests.conda_channel.shared import Channels
from tests.loop.conftest import Done, repro

pytestmark = pytest.mark.base

LEFT = "postlinked-was-here"
SCRIPT = f"""\
import json, os, sys
there = os.path.exists(sys.prefix + "/{LEFT}")
json.dump({{"there": float(there)}}, open("metrics.json", "w"))
"""
SETTINGS = "[base]\nimage = 'repro-base:bookworm'\n"


@pytest.fixture(scope="module")
def prefix(conda_channel: Channels, conda_server: ChannelServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laptop's environment, as conda leaves it: py-rattler doesn't run scripts."""
    folder = tmp_path_factory.mktemp("scripted") / "envs" / "laptop"
    make_environment(conda_server.url(), ("python=3.11", "postlinked"), folder, conda_channel.cache)
    (folder / LEFT).touch()
    return folder


def capture(root: Path, prefix: Path, settings: str = "") -> Done:
    root.mkdir(exist_ok=True)
    (root / "evaluate.py").write_text(SCRIPT, encoding="utf-8")
    (root / "repro.toml").write_text(SETTINGS + settings, encoding="utf-8")
    return repro(root, "capture", "evaluate.py", "--python", prefix / "bin" / "python")


def verify(root: Path) -> Done:
    built = repro(root, "build", "--output", "oci:image")
    assert built.code == 0, built
    return repro(root, "verify", "oci:image", "--engine", "bubblewrap", "--json")


def test_nothing_is_decided_for_the_author(base_image: ImageInfo, prefix: Path, tmp_path: Path) -> None:
    done = capture(tmp_path, prefix)
    assert done.code == ExitCode.USAGE, done
    assert "bin/.postlinked-post-link.sh" in done.err
    assert "skip-scripts" in done.err
    assert "run-scripts" in done.err
    assert not (tmp_path / "repro.lock").exists()


def test_a_script_that_runs_leaves_in_the_image_what_it_left_on_the_laptop(
    base_image: ImageInfo, prefix: Path, tmp_path: Path
) -> None:
    done = capture(tmp_path, prefix, "[conda]\nrun-scripts = ['postlinked']\n")
    assert done.code == 0, done
    assert "bin/.postlinked-post-link.sh runs while an image is made" in " ".join(done.out.split())
    lock = load_lock(tmp_path / "repro.lock")[0]
    assert {package.name: package.scripts for package in lock.conda if package.scripts} == {"postlinked": "run"}
    assert "post-link" in [layer.name for layer in lock.predicted[0].layers]
    done = verify(tmp_path)
    assert done.code == 0, done
    assert [metric["measured"]["number"] for metric in json.loads(done.out)["metrics"]] == [1.0]


def test_what_a_script_would_have_left_is_missed_where_it_is_left_out(
    base_image: ImageInfo, prefix: Path, tmp_path: Path
) -> None:
    done = capture(tmp_path, prefix, "[conda]\nskip-scripts = ['postlinked']\n")
    assert done.code == 0, done
    done = verify(tmp_path)
    assert done.code == ExitCode.MISMATCH, done
    assert [metric["measured"]["number"] for metric in json.loads(done.out)["metrics"]] == [0.0]
