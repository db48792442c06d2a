"""What is left of each conda package: nothing, part of it, another's files, edited ones."""

import os
from pathlib import Path

import pytest

from repro.capture.conda.contents import Contents, collapsed, inspect
from tests.capture.conda.laptop import SITE, Laptop


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def look(laptop: Laptop, *thorough: str) -> dict[str, Contents]:
    return {one.record.name: one for one in inspect(laptop.interpreter(), thorough)}


def test_an_environment_as_conda_left_it_has_nothing_to_tell(laptop: Laptop) -> None:
    laptop.install("x", {"share/x/a": "1", "share/x/b": "2"})
    assert {(one.gone, one.changed, one.without()) for one in look(laptop).values()} == {((), (), ())}
    assert all(one.left for one in look(laptop).values())


@pytest.mark.parametrize("content", ["longer than before", "2"])
def test_an_edited_file_is_told_by_size_or_by_time(laptop: Laptop, content: str) -> None:
    laptop.install("x", {"share/x/a": "1", "share/x/b": "2"})
    laptop.edit("share/x/a", content)
    assert look(laptop)["x"].changed == ("share/x/a",)


def test_a_file_with_its_times_put_back_is_told_when_all_are_hashed(laptop: Laptop) -> None:
    laptop.install("x", {"share/x/a": "1"})
    laptop.edit("share/x/a", "2")
    os.utime(laptop.prefix / "share/x/a", (1, 1))
    assert look(laptop)["x"].changed == ()
    assert look(laptop, "x")["x"].changed == ("share/x/a",)


def test_a_touched_file_is_no_edit(laptop: Laptop) -> None:
    laptop.install("x", {"share/x/a": "1"})
    laptop.edit("share/x/a", "1")
    assert look(laptop)["x"].changed == ()


def test_bytecode_and_what_programs_write_again_never_count(laptop: Laptop) -> None:
    paths = [
        f"{SITE}/__pycache__/x.cpython-311.pyc",
        "share/jupyter/kernels/python3/kernel.json",
        "share/mime/mime.cache",
    ]
    laptop.install("x", dict.fromkeys(paths, "1"))
    for path in paths:
        laptop.edit(path, "22")
    (laptop.prefix / paths[0]).unlink()
    found = look(laptop)["x"]
    assert (found.changed, found.gone, found.whole) == ((), (), 2)


def test_missing_files_are_told_by_folder(laptop: Laptop) -> None:
    laptop.install("x", {"share/x/doc/a": "1", "share/x/doc/b/c": "2", "share/x/d": "3"})
    (laptop.prefix / "share/x/doc/a").unlink()
    (laptop.prefix / "share/x/doc/b/c").unlink()
    assert look(laptop)["x"].without() == ("share/x/doc/",)
    assert look(laptop)["x"].left


def test_pip_over_conda_takes_the_files_whatever_is_in_them(laptop: Laptop) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": "old", "numpy/same.py": "", "numpy/gone.py": ""})
    laptop.pip("numpy", "2.0.1", {"numpy/__init__.py": "new", "numpy/same.py": ""})
    found = look(laptop)["numpy"]
    assert found.taken == {f"{SITE}/numpy/{name}.py": "numpy 2.0.1" for name in ("__init__", "same")}
    assert f"{SITE}/numpy/gone.py" in found.gone
    assert not found.left


def test_of_two_packages_with_one_path_the_one_on_the_disk_wins(laptop: Laptop) -> None:
    laptop.install("one", {"share/clash": "1", "share/one": ""})
    laptop.install("two", {"share/clash": "2", "share/two": ""})
    assert (look(laptop)["one"].without(), look(laptop)["two"].without()) == (("share/clash",), ())
    laptop.edit("share/clash", "1")
    assert (look(laptop)["one"].without(), look(laptop)["two"].without()) == ((), ("share/clash",))
    laptop.edit("share/clash", "edited")
    found = look(laptop)
    assert (found["one"].changed, found["two"].without()) == (("share/clash",), ("share/clash",))


def test_links_only_have_to_be_there(laptop: Laptop) -> None:
    row = {"_path": "lib/x.so", "path_type": "softlink", "sha256": "0" * 64, "size_in_bytes": 5}
    laptop.install("x", {"lib/x.so.1": "lib"})
    laptop.install("y", {}, files=["lib/x.so"], paths_data={"paths": [row]})
    assert look(laptop)["y"].gone == ("lib/x.so",)
    (laptop.prefix / "lib/x.so").symlink_to("x.so.1")
    assert (look(laptop)["y"].gone, look(laptop)["y"].changed) == ((), ())


def test_packages_without_files_are_always_there(laptop: Laptop) -> None:
    laptop.install("libblas", {})
    assert look(laptop)["libblas"].left


@pytest.mark.parametrize(
    ("lost", "kept", "told"),
    [
        (["a/b/1", "a/b/2"], [], ["a/"]),
        (["a/b/1", "a/b/2"], ["a/3"], ["a/b/"]),
        (["a/b/1"], ["a/3"], ["a/b/1"]),
        (["a/b/1", "a/c/2"], ["a/b/3"], ["a/b/1", "a/c/2"]),
        ([], ["a"], []),
    ],
)
def test_folders_stand_for_what_is_all_lost(lost: list[str], kept: list[str], told: list[str]) -> None:
    assert list(collapsed(lost, kept)) == told
