"""Sources enter at capture, and a run that failed on a file that was never fetched says so."""

import platform
import sys
from pathlib import Path

import pytest

from repro.capture.evidence import run_evaluation
from repro.capture.locating import locate_files, naming_pointers
from repro.capture.project import open_project
from repro.capture.request import CaptureRequest
from repro.digest import Digest
from repro.errors import CaptureError, EvaluationError, InfrastructureError
from repro.http import per_thread, session
from repro.lock import LockedFile
from repro.progress import Silent
from repro.runner.documents import Evaluation

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"


def run(root: Path, source: str) -> None:
    (root / "s.py").write_text(source)
    evaluation = Evaluation("script", "s.py", sys.executable, platform.python_version())
    with naming_pointers(root, root.parent / "out"):
        run_evaluation(evaluation, root, root.parent / "out", Silent())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_a_run_that_failed_on_a_pointer_is_explained(root: Path) -> None:
    (root / "x.csv").write_text(POINTER)
    (root / "unread.csv").write_text(POINTER)
    with pytest.raises(CaptureError) as raised:
        run(root, "float(open('x.csv').readline())")
    assert [problem.split()[0] for problem in raised.value.problems] == ["x.csv"]
    assert "git lfs pull" in (raised.value.fix or "")


def test_a_run_that_failed_otherwise_stays_what_it_was(root: Path) -> None:
    (root / "x.csv").write_text("a,b\n")
    with pytest.raises(EvaluationError):
        run(root, "float(open('x.csv').readline())")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_disk_that_a_run_filled_is_told_as_such(root: Path) -> None:
    (root.parent / "out").mkdir()
    (root.parent / "out" / "output.log").symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="no space left on the disk"):
        run(root, "print('x')")


def test_what_repro_toml_says_is_followed(root: Path) -> None:
    (root / "s.py").write_text("")
    (root / "repro.toml").write_text('[sources]\n"data/" = "s3://bucket/data/"\n')
    project = open_project(CaptureRequest(root / "s.py"))
    file = LockedFile("data/x.csv", "data", Digest.of(b"x"), 1)
    located = locate_files(project, [file], per_thread(session), ())
    assert [file.source for file in located.files] == ["s3://bucket/data/x.csv"]
