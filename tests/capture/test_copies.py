"""Two copies of a package on sys.path: the one that comes first counts, and it has to be the one that ran."""

from pathlib import Path

import pytest

from repro.capture.copies import misplaced_imports, review_copies
from repro.capture.model import Interpreter
from repro.capture.probe import probe
from repro.errors import CaptureError
from tests.capture.packages.installed import Venv, run
from tests.capture.plain_wheels import plain_wheel


@pytest.fixture
def twice(tmp_path: Path) -> tuple[Venv, Path, Interpreter]:
    """thing 1.0 in a directory on PYTHONPATH, thing 2.0 and other in the environment itself."""
    venv = Venv(tmp_path / "venv")
    first = tmp_path / "first"
    venv.uv("--no-index", plain_wheel(tmp_path, "thing", {"thing/__init__.py": "V = 2\n"}, "2.0"))
    venv.uv("--no-index", plain_wheel(tmp_path, "other", {"other.py": ""}))
    venv.uv("--no-index", "--target", first, plain_wheel(tmp_path, "thing", {"thing/__init__.py": "V = 1\n"}, "1.0"))
    interpreter = probe(venv.python, cwd=tmp_path, env={"PYTHONPATH": str(first), "PYTHONNOUSERSITE": "1"})
    return venv, first, interpreter


def imported(venv: Venv, first: Path, code: str) -> dict[str, str]:
    show = "import thing, other; print('thing=' + thing.__file__, 'other=' + other.__file__)"
    told = run("/usr/bin/env", f"PYTHONPATH={first}", venv.python, "-c", f"{code}\n{show}")
    return dict(word.split("=") for word in told.split())


def site(venv: Venv) -> Path:
    return next((venv.path / "lib").glob("python3*/site-packages"))


def test_the_copy_that_is_passed_over_is_told(twice: tuple[Venv, Path, Interpreter]) -> None:
    venv, first, interpreter = twice
    assert review_copies(interpreter) == (
        f"{site(venv)} is passed over, because {first} comes first on sys.path, for thing 2.0 (1.0 is locked)",
    )
    assert review_copies(venv.interpreter()) == ()


def test_the_first_copy_is_what_runs(twice: tuple[Venv, Path, Interpreter]) -> None:
    venv, first, interpreter = twice
    modules = imported(venv, first, "")
    assert Path(modules["thing"]).is_relative_to(first)
    assert misplaced_imports(modules, interpreter) == ()


def test_a_run_that_imports_the_other_copy_is_stopped(
    twice: tuple[Venv, Path, Interpreter],
) -> None:
    venv, first, interpreter = twice
    modules = imported(venv, first, f"import sys; sys.path.insert(0, {str(site(venv))!r})")
    assert misplaced_imports(modules, interpreter) == (
        (
            f"thing 2.0 was imported from {site(venv)}, but 1.0 in {first} comes first on sys.path as the interpreter "
            "starts, and would be in the image; uninstall one of them, or don't change sys.path in the run"
        ),
    )


def test_two_versions_in_one_place_are_refused(tmp_path: Path) -> None:
    """What an upgrade that was broken off leaves."""
    venv = Venv(tmp_path / "venv")
    venv.uv("--no-index", plain_wheel(tmp_path, "thing", {"thing.py": ""}, "1.0"))
    info = site(venv) / "thing-1.0.dist-info"
    info.rename(site(venv) / "kept")
    venv.uv("--no-index", plain_wheel(tmp_path, "thing", {"thing.py": "2"}, "2.0"))
    (site(venv) / "kept").rename(info)
    with pytest.raises(CaptureError, match="two versions of a package are recorded in one place") as refused:
        review_copies(venv.interpreter())
    assert refused.value.problems == (f"thing: 1.0 and 2.0 in {site(venv)}",)
    assert refused.value.fix == "Install it again: pip install --force-reinstall thing"
