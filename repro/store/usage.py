"""How much the user's cache holds, and making it smaller: what was used longest ago goes first."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.files import disk_errors

GRACE = 3600.0
"""Seconds: whatever was used this recently may be in use now and stays."""
_BY_FILE = frozenset({"artifacts", "http", "layers"})
"""Parts whose files stand each for themselves; in all others a directory is only whole with all that is in it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What can only be removed as a whole.

    Attributes:
        part: The first directory below the cache, such as `layers`.
        path: A file or a directory.
        size: Bytes.
        used: When it was last read or written, seconds since the epoch.
    """

    part: str
    path: Path
    size: int
    used: float


@dataclass(frozen=True, slots=True)
class Removed:
    """What a clean-up took away."""

    units: int
    size: int


def cache_units(directory: Path) -> list[Unit]:
    """Everything in a cache, the longest unused first. What vanishes meanwhile is left out."""
    found = [unit for part in _entries(directory) for unit in _units(part)]
    return sorted(found, key=lambda unit: (unit.used, str(unit.path)))


def prune(directory: Path, limit: int, now: float | None = None) -> Removed:
    """Remove what was used longest ago until at most `limit` bytes are left; what was used just now stays.

    Raises:
        InfrastructureError: The disk refuses.
    """
    units = cache_units(directory)
    excess = sum(unit.size for unit in units) - limit
    latest = (time.time() if now is None else now) - GRACE
    chosen = []
    for unit in units:
        if excess <= 0 or unit.used > latest:
            break
        chosen.append(unit)
        excess -= unit.size
    return _remove(chosen)


def clear(directory: Path) -> Removed:
    """Remove everything. Raises InfrastructureError when the disk refuses."""
    return _remove(cache_units(directory))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _units(part: os.DirEntry[str]) -> Iterator[Unit]:
    if not part.is_dir(follow_symlinks=False):
        yield from _unit(part.name, Path(part.path), _files(part))
    elif part.name in _BY_FILE:
        for entry in _files_below(part):
            yield from _unit(part.name, Path(entry.path), [entry])
    else:
        for entry in _entries(Path(part.path)):
            yield from _unit(part.name, Path(entry.path), _files(entry))


def _unit(part: str, path: Path, entries: list[os.DirEntry[str]]) -> Iterator[Unit]:
    try:
        facts = [entry.stat(follow_symlinks=False) for entry in entries]
        own = path.lstat().st_mtime  # looking into a directory changes its access time
    except FileNotFoundError:
        return
    used = max([own, *(max(one.st_atime, one.st_mtime) for one in facts)])
    yield Unit(part, path, sum(one.st_size for one in facts), used)


def _files(entry: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    return list(_files_below(entry)) if entry.is_dir(follow_symlinks=False) else [entry]


def _files_below(directory: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(Path(directory.path)):
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry)
        else:
            yield entry


def _remove(units: list[Unit]) -> Removed:
    for unit in units:
        with disk_errors(unit.path):
            if unit.path.is_dir() and not unit.path.is_symlink():
                _remove_tree(unit.path)
            else:
                unit.path.unlink(missing_ok=True)
    return Removed(len(units), sum(unit.size for unit in units))


def _remove_tree(path: Path) -> None:
    """Under another name first, so that nobody takes half of it for the whole; read-only directories included."""
    away = path.with_name(f".removed-{os.getpid()}-{path.name}")
    try:
        path.rename(away)
    except FileNotFoundError:
        return
    for folder, _, _ in os.walk(away):
        Path(folder).chmod(0o700)
    shutil.rmtree(away, ignore_errors=True)
