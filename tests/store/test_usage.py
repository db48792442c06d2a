"""The cache can be weighed and made smaller; what is in use stays."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro.store.usage import GRACE, UNFINISHED, Removed, Shelves, cache_units, clear, prune

NOW = 1_000_000.0


def make(directory: Path, name: str, size: int, age: float) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    settle(path, age)
    return path


def settle(path: Path, age: float) -> None:
    os.utime(path, (NOW - age, NOW - age))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    make(tmp_path, "artifacts/sha256/aa/old", 100, GRACE * 30)
    make(tmp_path, "layers/blobs/sha256/bb/older", 200, GRACE * 40)
    make(tmp_path, "artifacts/sha256/cc/new", 300, 10)
    make(tmp_path, "rootfs/abc/usr/bin/x", 400, GRACE * 20)
    make(tmp_path, "rootfs/abc/usr/bin/y", 1, GRACE * 50)
    settle(tmp_path / "rootfs/abc", GRACE * 20)
    return tmp_path


def test_units_come_longest_unused_first_and_trees_are_whole(cache: Path) -> None:
    assert [(unit.part, unit.path.name, unit.size) for unit in cache_units(cache)] == [
        ("layers", "older", 200),
        ("artifacts", "old", 100),
        ("rootfs", "abc", 401),
        ("artifacts", "new", 300),
    ]


def test_pruning_removes_only_as_much_as_it_must(cache: Path) -> None:
    assert prune(cache, 750, NOW) == Removed(2, 300)
    assert [unit.path.name for unit in cache_units(cache)] == ["abc", "new"]
    assert prune(cache, 750, NOW) == Removed(0, 0)


def test_what_was_used_just_now_stays_whatever_the_limit(cache: Path) -> None:
    assert prune(cache, 0, NOW) == Removed(3, 701)
    assert [unit.path.name for unit in cache_units(cache)] == ["new"]
    assert not list((cache / "rootfs").iterdir())


def test_clearing_removes_everything_read_only_trees_too(cache: Path) -> None:
    (cache / "rootfs/abc/usr/bin").chmod(0o500)
    assert clear(cache, NOW).units == 4
    assert cache_units(cache) == []


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert cache_units(tmp_path / "none") == []
    assert prune(tmp_path / "none", 0) == Removed(0, 0)


def shelves(*held: str) -> Shelves:
    """Shelves whose directories of these names are held."""

    def remove(path: Path) -> bool:
        if path.name not in held:
            shutil.rmtree(path)
        return path.name not in held

    return Shelves(frozenset({"pythons", "rootfs/images"}), remove)


def test_each_directory_of_a_shelf_is_a_unit(tmp_path: Path) -> None:
    for name in ("rootfs/images/one", "rootfs/images/two", "rootfs/images/incoming/half", "pythons/three", "other/x"):
        make(tmp_path, f"{name}/lock", 1, GRACE)
    units = {unit.path.relative_to(tmp_path).as_posix(): unit for unit in cache_units(tmp_path, shelves())}
    assert {name for name, unit in units.items() if unit.shelved} == {
        "rootfs/images/one",
        "rootfs/images/two",
        "rootfs/images/incoming/half",
        "pythons/three",
    }
    assert {name for name, unit in units.items() if not unit.shelved} == {"other/x"}


def test_what_is_held_stays_and_the_next_goes_instead(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old", "held"), 2):
        settle(make(tmp_path, f"pythons/{name}/lock", 100, GRACE * age).parent, GRACE * age)
    assert prune(tmp_path, 200, NOW, shelves=shelves("held")) == Removed(1, 100)
    assert {path.name for path in (tmp_path / "pythons").iterdir()} == {"new", "held"}
    assert clear(tmp_path, NOW, shelves=shelves("held")) == Removed(1, 100)
    assert {path.name for path in (tmp_path / "pythons").iterdir()} == {"held"}


@pytest.mark.parametrize(
    "name",
    ["artifacts/incoming/x", "artifacts/partial/x", "layers/tmpabc", "layers/blobs/incoming/x", "any/incoming/x"],
)
def test_what_may_be_being_written_is_not_cleared(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name.partition("/")[0]
    unfinished = make(tmp_path, name, 5, UNFINISHED / 2)
    for above in unfinished.relative_to(folder).parents:
        settle(folder / above, UNFINISHED / 2)
    assert clear(tmp_path, NOW) == Removed(0, 0)
    assert unfinished.exists()
    assert clear(tmp_path, NOW + UNFINISHED).units == 1
    assert not unfinished.exists()


def test_a_file_of_several_units_counts_once_and_goes_with_the_last(tmp_path: Path) -> None:
    first = make(tmp_path, "pythons/first/file", 100, GRACE * 3)
    second = tmp_path / "pythons/second/file"
    second.parent.mkdir()
    second.hardlink_to(first)
    settle(first.parent, GRACE * 3)
    settle(second.parent, GRACE * 2)
    assert [(unit.path.name, unit.size) for unit in cache_units(tmp_path, shelves())] == [("first", 0), ("second", 100)]
    assert prune(tmp_path, 50, NOW, shelves=shelves()) == Removed(2, 100)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has locked a file."""
    code = (
        "import fcntl, sys\nwith open(sys.argv[1], 'ab') as stream:\n"
        "    fcntl.flock(stream, fcntl.LOCK_EX)\n    print(flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate(b"")


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked there")
@pytest.mark.parametrize("remove", [clear, lambda cache, now: prune(cache, 0, now)], ids=["clear", "prune"])
@pytest.mark.parametrize(
    ("names", "lock"),
    [
        (("sandboxes/repro-1/lock", "sandboxes/repro-1/mount-0/file"), "sandboxes/repro-1/lock"),
        (("builds/1.lock",), "builds/1.lock"),
        (("artifacts/partial/1.lock", "artifacts/partial/1"), "artifacts/partial/1.lock"),
    ],
    ids=["a run", "a turn", "a download"],
)
def test_what_somebody_has_locked_stays_until_it_is_let_go(
    tmp_path: Path, names: tuple[str, ...], lock: str, remove: Callable[[Path, float], Removed]
) -> None:
    made = [make(tmp_path, name, 7, GRACE * 2) for name in names]
    for path in tmp_path.rglob("*"):
        settle(path, GRACE * 2)
    with held(tmp_path / lock):
        assert remove(tmp_path, NOW) == Removed(0, 0)
        assert all(path.exists() for path in made)
    assert remove(tmp_path, NOW).size == 7 * len(names)
    assert not any(path.exists() for path in made)
