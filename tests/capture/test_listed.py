"""Folders that a run listed: told when the image shows something else."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from repro.capture.listed import listed_warnings, needed_folders
from repro.capture.snapshot import take_snapshot
from repro.runner.trace import Trace


def warnings(root: Path, listed: list[str], locked: list[str], outputs: tuple[str, ...] = ()) -> list[str]:
    """What is told when a run has listed folders."""
    for path in (*locked, "evaluate.ipynb"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    places = [os.fspath(root / folder) for folder in listed]
    return list(listed_warnings(root, places, take_snapshot(root), locked=[*locked, "evaluate.ipynb"], outputs=outputs))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_a_folder_whose_files_the_image_lacks_is_told(root: Path) -> None:
    (root / "cache").mkdir()
    (root / "empty").mkdir()
    (root / "cache" / ".gitkeep").touch()
    (told,) = warnings(root, ["cache", "empty"], [])
    assert told.startswith("the run lists cache/, where the image has no file")


def test_folders_of_outputs_and_of_locked_files_are_there(root: Path) -> None:
    (root / "out").mkdir()
    assert warnings(root, ["data", "out", "", "../beside", "gone"], ["data/a.csv"], ("out/scores.json",)) == []


def needed(
    root: Path, *, listed: Iterable[str] = (), entered: Iterable[str] = (), made: Iterable[str] = ()
) -> tuple[str, ...]:
    """What an image must have when the lock has `data/a.csv`, and the folders are named relative to the root."""

    def times(folders: Iterable[str]) -> dict[str, int]:
        return {os.path.normpath(root / folder): 1 for folder in folders}

    def relative(path: str) -> str | None:
        return path[len(f"{root}/") :] if path.startswith(f"{root}/") else None

    trace = Trace(listed=times(listed), entered=times(entered), made=times(made))
    return needed_folders(trace, take_snapshot(root), ["data/a.csv"], relative)


def test_folders_that_were_there_and_hold_nothing_locked_are_needed(root: Path) -> None:
    for folder in ("data", "raw/old", "work", ".git", "own/below"):
        (root / folder).mkdir(parents=True)
    assert needed(root, listed=["raw/old", "raw", "data", "."], entered=["work", "..", "gone"]) == ("raw/old", "work")
    assert needed(root, listed=[".git", ".git/refs"]) == ()
    assert needed(root, listed=["own/below"], entered=["own"], made=["own"]) == ()


def test_a_walk_through_the_project_needs_only_what_it_enters(root: Path) -> None:
    names = [f"part{number}" for number in range(60)]
    for name in names:
        (root / name).mkdir()
    assert needed(root, listed=names, entered=names[7:8]) == ("part7",)


def test_what_imports_list_tells_nothing(root: Path) -> None:
    (root / "src" / "other").mkdir(parents=True)
    (root / "src" / "other" / "unused.py").touch()
    (root / "lib").mkdir()
    (root / "lib" / "b.txt").touch()
    (root / ".venv").mkdir()
    (root / ".venv" / "pyvenv.cfg").touch()
    listed = ["src", "src/other", "lib", ".venv", ".venv/lib", "__pycache__"]
    assert warnings(root, listed, ["lib/used.py", "lib/a.txt"]) == []


def test_files_that_were_listed_and_not_read_are_told_with_one_of_them(root: Path) -> None:
    (root / "images").mkdir()
    for name in ("1.png", "2.png", "3.png", "README.md", "made.png"):
        (root / "images" / name).touch()
    (told,) = warnings(root, ["images"], ["images/0.png"], ("images/made.png",))
    assert told.startswith("the run lists images/ and reads 1 of its 4 files *.png: the image has only these, not ")
    assert '[files] include = ["images/*.png"]' in told


def test_a_walk_through_the_project_is_not_told_folder_by_folder(root: Path) -> None:
    names = [f"part{number}" for number in range(5)]
    for name in names:
        (root / name).mkdir()
        (root / name / "other.csv").touch()
    assert warnings(root, names, []) == []
    assert warnings(root, names, [f"{name}/read.csv" for name in names]) == []
