"""The cache can be weighed and made smaller; what is in use stays."""

import os
from pathlib import Path

import pytest

from repro.store.usage import GRACE, Removed, cache_units, clear, prune

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
    assert clear(cache).units == 4
    assert cache_units(cache) == []


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert cache_units(tmp_path / "none") == []
    assert prune(tmp_path / "none", 0) == Removed(0, 0)
