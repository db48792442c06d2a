"""Folders that a run listed: told when the image shows something else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.listed import listed_warnings
from repro.capture.snapshot import take_snapshot


def warnings(
    root: Path, listed: list[str], locked: list[str], outputs: tuple[str, ...] = (), *, later: int = 1 << 40
) -> list[str]:
    """What is told when a run has listed folders, begun so many nanoseconds after they were last changed."""
    for path in (*locked, "evaluate.ipynb"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    now = take_snapshot(root)
    before = replace(now, taken_ns=now.taken_ns + later)
    places = [os.fspath(root / folder) for folder in listed]
    return list(listed_warnings(root, places, before, locked=[*locked, "evaluate.ipynb"], outputs=outputs))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.mark.parametrize("kept", [[], [".gitkeep"]])
def test_a_folder_that_the_image_lacks_is_told(root: Path, kept: list[str]) -> None:
    (root / "cache").mkdir()
    for name in kept:
        (root / "cache" / name).touch()
    (told,) = warnings(root, ["cache"], [])
    assert told.startswith("the run lists cache/, which the image won't have")


def test_folders_of_the_run_itself_of_outputs_and_of_locked_files_are_there(root: Path) -> None:
    for folder in ("out", "made/deep"):
        (root / folder).mkdir(parents=True)
    assert warnings(root, ["data", "out", "", "../beside", "gone"], ["data/a.csv"], ("out/scores.json",)) == []
    assert warnings(root, ["made/deep"], [], later=-(1 << 40)) == []


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
