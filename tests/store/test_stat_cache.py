"""A cache of digests that can't lie: every way to change a file behind its back, and every way to damage the cache."""

import os
import time
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.files import atomic_write
from repro.store import stat_cache
from repro.store.cache import cache_directory
from repro.store.hashing import Hashed, hash_files
from repro.store.stat_cache import StatCache, open_stat_cache
from tests.store.test_hashing import tick

OLD = 10_000_000_000
"""Nanoseconds by which the clock is put forward, so that files just made are old enough to be cached."""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    found = tmp_path / "project"
    found.mkdir()
    (found / "a.csv").write_bytes(b"1,2")
    (found / "b.csv").write_bytes(b"3,4")
    return found


@pytest.fixture
def later(monkeypatch):
    """Have time pass without waiting."""
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: time.time_ns() + OLD)


def names(root: Path) -> list[str]:
    return [str(root / name) for name in ("a.csv", "b.csv")]


def cached(root: Path) -> set[str]:
    """Names of the files that are not read again."""
    cache = open_stat_cache(root)
    return {Path(path).name for path in names(root) if cache.get(path, Path(path).stat()) is not None}


def filled(root: Path) -> StatCache:
    cache = open_stat_cache(root)
    hash_files(names(root), cache=cache)
    cache.save()
    return cache


def file_of(root: Path) -> Path:
    (found,) = (cache_directory() / "hashes").iterdir()
    return found


@pytest.mark.usefixtures("later")
def test_what_is_unchanged_is_not_read_again(root, monkeypatch):
    filled(root)
    assert cached(root) == {"a.csv", "b.csv"}
    cache = open_stat_cache(root)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", None)
        found = hash_files(names(root), cache=cache)
    assert [one.sha256 for one in found] == [Digest.of(b"1,2"), Digest.of(b"3,4")]


def test_what_changed_just_before_is_not_kept(root, monkeypatch):
    oldest = min(Path(path).stat().st_ctime_ns for path in names(root))
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: oldest + 1_000_000_000)
    filled(root)
    assert cached(root) == set()
    assert not (cache_directory() / "hashes").exists()


def test_a_file_as_old_as_the_rule_wants_is_kept(root, monkeypatch):
    newest = max(Path(path).stat().st_ctime_ns for path in names(root))
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: newest + 2_000_000_000)
    filled(root)
    assert "b.csv" not in cached(root)
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: newest + 2_000_000_001)
    filled(root)
    assert cached(root) == {"a.csv", "b.csv"}


def put_back(path: Path) -> None:
    tick(path)
    before = path.stat()
    path.write_bytes(b"9,9")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    path.with_name("new").write_bytes(b"9,9")
    os.utime(path.with_name("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_name("new").replace(path)


def touched(path: Path) -> None:
    tick(path)
    os.utime(path)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", [put_back, replaced, touched])
def test_any_change_is_seen_even_with_the_same_size_and_time(root, change):
    filled(root)
    change(root / "a.csv")
    assert cached(root) == {"b.csv"}


@pytest.mark.usefixtures("later")
def test_a_file_that_changes_while_it_is_hashed_is_not_kept(root):
    cache = open_stat_cache(root)
    (found,) = hash_files(names(root)[:1])
    assert isinstance(found, Hashed)
    touched(root / "a.csv")
    cache.put(names(root)[0], found.before, Path(names(root)[0]).stat(), found.sha256, cache.now())
    cache.save()
    assert cached(root) == set()


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", [b"", b"garbage", b"repro.hashes/1 " + b"0" * 64 + b"\n{}"])
def test_a_damaged_cache_is_none(root, damage):
    filled(root)
    file_of(root).write_bytes(damage)
    assert cached(root) == set()
    filled(root)
    assert cached(root) == {"a.csv", "b.csv"}


@pytest.mark.usefixtures("later")
def test_one_changed_bit_is_enough(root):
    filled(root)
    data = bytearray(file_of(root).read_bytes())
    for place in (3, 20, 90, len(data) - 5):
        changed = bytearray(data)
        changed[place] ^= 1
        atomic_write(file_of(root), bytes(changed))
        assert cached(root) == set()


@pytest.mark.usefixtures("later")
def test_captures_at_the_same_time_keep_what_each_of_them_hashed(root):
    one, other = open_stat_cache(root), open_stat_cache(root)
    hash_files(names(root)[:1], cache=one)
    hash_files(names(root)[1:], cache=other)
    one.save()
    other.save()
    assert cached(root) == {"a.csv", "b.csv"}
    assert file_of(root).stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("later")
def test_files_that_are_gone_or_changed_are_forgotten(root):
    filled(root)
    (root / "b.csv").unlink()
    touched(root / "a.csv")
    cache = open_stat_cache(root)
    hash_files(names(root)[:1], cache=cache)
    cache.save()
    assert b"b.csv" not in file_of(root).read_bytes()


@pytest.mark.usefixtures("later")
def test_another_project_has_a_cache_of_its_own(root, tmp_path):
    filled(root)
    assert open_stat_cache(tmp_path).get(names(root)[0], Path(names(root)[0]).stat()) is None


@pytest.mark.usefixtures("later")
def test_without_a_trustworthy_change_time_nothing_is_kept(root, monkeypatch):
    """As on FAT, where the change time is the modification time."""
    real = os.fstat

    def without_change_time(handle: int) -> os.stat_result:
        found = list(real(handle))
        return os.stat_result(found, {"st_mtime_ns": real(handle).st_mtime_ns, "st_ctime_ns": real(handle).st_mtime_ns})

    monkeypatch.setattr(stat_cache.os, "fstat", without_change_time)
    cache = open_stat_cache(root)
    monkeypatch.undo()
    monkeypatch.setenv("REPRO_CACHE_DIR", str(cache_directory()))
    hash_files(names(root), cache=cache)
    cache.save()
    assert cache.get(names(root)[0], Path(names(root)[0]).stat()) is None


def test_a_project_that_can_not_be_written_to_is_hashed_every_time(root):
    (root / ".repro").write_text("in the way")
    found = hash_files(names(root), cache=open_stat_cache(root))
    assert [one.sha256 for one in found] == [Digest.of(b"1,2"), Digest.of(b"3,4")]


def test_a_clock_that_is_behind_makes_nothing_seem_old(root):
    device = root.stat().st_dev
    behind, ahead = (stat_cache.Clock(device, offset).now() for offset in (-OLD, OLD))
    now = time.time_ns()
    assert behind <= now - OLD
    assert ahead <= now


@pytest.mark.usefixtures("later")
def test_a_disk_that_refuses_costs_only_the_time(root, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "file"))
    filled(root)
    assert cached(root) == set()
