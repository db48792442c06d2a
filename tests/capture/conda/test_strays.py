"""Files that a run reads in conda's environment and that no package brought: no image has them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.conda.strays import stray_warnings
from tests.capture.conda.laptop import SITE, Laptop


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def told(laptop: Laptop, *paths: str, scripted: bool = False) -> tuple[str, ...]:
    reads = [os.fspath(laptop.prefix / path) for path in paths]
    seen = laptop.interpreter()
    as_probed = replace(seen, paths={**seen.paths, "data": os.fspath(laptop.prefix)})
    return stray_warnings(as_probed, reads, scripted=scripted)


def put(laptop: Laptop, *paths: str) -> None:
    for path in paths:
        (laptop.prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (laptop.prefix / path).write_text("x", encoding="utf-8")


def test_data_that_was_put_there_by_hand_is_told(laptop: Laptop) -> None:
    put(laptop, "nltk_data/words.txt")
    (line,) = told(laptop, "nltk_data/words.txt")
    assert str(laptop.prefix / "nltk_data/words.txt") in line


def test_what_packages_brought_is_in_the_image(laptop: Laptop) -> None:
    laptop.install("x", {"share/x/a": "1"})
    laptop.pip("y", "1.0", {"../../../share/y/b": "2"})
    assert told(laptop, "share/x/a", "share/y/b") == ()


@pytest.mark.parametrize(
    "path",
    ["lib/python3.11/new.py", f"{SITE}/own/data.txt", "conda-meta/history", "etc/jupyter/a.json", "share/mime.cache"],
)
def test_modules_and_what_tools_write_are_told_elsewhere_or_not_at_all(path: str, laptop: Laptop) -> None:
    put(laptop, path)
    assert told(laptop, path) == ()


def test_what_is_gone_lies_elsewhere_or_may_come_from_a_script_is_not_told(laptop: Laptop, tmp_path: Path) -> None:
    put(laptop, "share/made.txt")
    (tmp_path / "data.csv").write_text("x", encoding="utf-8")
    assert told(laptop, "share/gone.txt", os.fspath(tmp_path / "data.csv")) == ()
    assert told(laptop, "share/made.txt", scripted=True) == ()


def test_many_files_are_told_in_one_line(laptop: Laptop) -> None:
    names = [f"data/{number}.txt" for number in range(9)]
    put(laptop, *names)
    (line,) = told(laptop, *names)
    assert "and 5 more" in line
