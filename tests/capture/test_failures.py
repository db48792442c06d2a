"""What a failed run is told as."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.failures import failure_error
from repro.runner.documents import Failure
from repro.runner.stops import explained


def test_the_cure_for_a_full_disk_is_about_the_disk() -> None:
    full = explained("OSError: [Errno 28] No space left on device")
    for cell in (3, None):
        error = failure_error(Failure("cell", full, cell), "work.ipynb", Path())
        assert (error.fix or "").startswith("Free space on the disk")
    assert "top to bottom" in (failure_error(Failure("cell", "KeyError: 'x'", 3), "work.ipynb", Path()).fix or "")


@pytest.mark.parametrize(
    ("subject", "name"), [("app/eval.py", "app.eval"), ("src/app/__main__.py", "app"), ("__main__.py", "PACKAGE")]
)
def test_a_module_that_is_run_as_a_script_is_told_how_it_can_be_captured(subject: str, name: str) -> None:
    failure = Failure("cell", "ImportError: attempted relative import with no known parent package")
    assert f'run_module("{name}", run_name="__main__"' in (failure_error(failure, subject, Path()).fix or "")
    in_cell = failure_error(replace(failure, cell=2), "work.ipynb", Path())
    assert "top to bottom" in (in_cell.fix or "")


@pytest.mark.parametrize(
    "message",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/x.csv'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/new.json'",
        "ModuleNotFoundError: No module named 'data'",
        "ModuleNotFoundError: No module named 'tools'",
    ],
)
def test_what_runs_in_a_subfolder_and_is_meant_for_the_root_is_told_so(message: str, tmp_path: Path) -> None:
    for path in ("data/x.csv", "tools.py", "work/w.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    script = failure_error(Failure("cell", message), "work/w.py", tmp_path).fix or ""
    assert script.startswith("It runs in its own folder, work/, and ")
    assert 'runpy.run_path("work/w.py", run_name="__main__")' in script
    assert "`%cd ..`" in (failure_error(Failure("cell", message, 2), "work/w.ipynb", tmp_path).fix or "")


@pytest.mark.parametrize("cell", [None, 2])
def test_a_module_that_is_nowhere_is_missing_in_the_environment(cell: int | None, tmp_path: Path) -> None:
    failure = Failure("cell", "ModuleNotFoundError: No module named 'statsmodels.api'", cell)
    fix = failure_error(failure, "work/w.ipynb", tmp_path).fix or ""
    assert fix.startswith("Install what brings statsmodels in the environment")
    assert "--python PATH" in fix


@pytest.mark.parametrize("name", ["x.csv", "/data/x.csv", "../x.csv"])
def test_a_file_that_is_nowhere_says_nothing_of_folders(name: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    message = f"FileNotFoundError: [Errno 2] No such file or directory: '{name}'"
    for subject in ("w.py", "work/w.py"):
        assert (failure_error(Failure("cell", message), subject, tmp_path).fix or "").startswith("Make the script run")
