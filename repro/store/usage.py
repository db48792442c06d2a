"""How much the user's cache holds, and making it smaller: what was used longest ago goes first."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.files import disk_errors
from repro.flock import lock

GRACE = 3600.0
"""Seconds: whatever was used this recently may be in use now and stays."""
UNFINISHED = 60.0
"""Seconds: what was written this recently, and is not finished, may be being written now and stays."""
_INCOMING = "incoming"
_BY_FILE = frozenset({"artifacts", "http", "layers"})
"""Parts whose files stand each for themselves; in all others a directory is only whole with all that is in it."""


_Shared = dict[tuple[int, int], int]
"""Sizes of files with several names, by device and inode."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Directories whose directories are held by those who use them, so that only their own kind of removal is safe.

    Attributes:
        names: POSIX paths below the cache, such as `rootfs/images`.
        remove: Removes one of their directories unless it is held; says whether it is gone.
    """

    names: frozenset[str] = frozenset()
    remove: Callable[[Path], bool] = field(default=lambda _: False)

    def has(self, name: str) -> bool:
        """Whether a directory is a shelf, or the place where a shelf's directories are made."""
        return name in self.names or name.removesuffix(f"/{_INCOMING}") in self.names


_NONE = Shelves()


@dataclass(frozen=True, slots=True)
class Unit:
    """What can only be removed as a whole.

    Attributes:
        part: The first directory below the cache, such as `layers`.
        path: A file or a directory.
        size: Bytes. A file that several units have counts for the one that was used last: only with that it goes.
        used: When it was last read or written, seconds since the epoch.
        shelved: Whether it is a directory of a shelf.
        finished: Whether it has its own name already.
    """

    part: str
    path: Path
    size: int
    used: float
    shelved: bool = False
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Removed:
    """What a clean-up took away."""

    units: int
    size: int


def cache_units(directory: Path, shelves: Shelves = _NONE) -> list[Unit]:
    """Everything in a cache, the longest unused first. What vanishes meanwhile is left out."""
    found = [pair for part in _entries(directory) for pair in _units(part, shelves)]
    found.sort(key=lambda pair: (pair[0].used, str(pair[0].path)), reverse=True)
    counted: _Shared = {}
    units = []
    for unit, shared in found:
        more = sum(size for key, size in shared.items() if key not in counted)
        counted.update(shared)
        units.append(replace(unit, size=unit.size + more))
    return units[::-1]


def prune(directory: Path, limit: int, now: float | None = None, *, shelves: Shelves = _NONE) -> Removed:
    """Remove what was used longest ago until at most `limit` bytes are left.

    What was used just now stays, and what is held or locked.

    Raises:
        InfrastructureError: The disk refuses.
    """
    units = cache_units(directory, shelves)
    excess = sum(unit.size for unit in units) - limit
    latest = _now(now) - GRACE
    count = size = 0
    for unit in units:
        if size >= excess or unit.used > latest:
            break
        if _remove(unit, shelves):
            count, size = count + 1, size + unit.size
    return Removed(count, size)


def clear(directory: Path, now: float | None = None, *, shelves: Shelves = _NONE) -> Removed:
    """Remove everything but what is held or locked, or may be being written now.

    Raises:
        InfrastructureError: The disk refuses.
    """
    latest = _now(now) - UNFINISHED
    units = [unit for unit in cache_units(directory, shelves) if unit.finished or unit.used <= latest]
    removed = [unit.size for unit in units if _remove(unit, shelves)]
    return Removed(len(removed), sum(removed))


def _now(now: float | None) -> float:
    return time.time() if now is None else now


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _units(part: os.DirEntry[str], shelves: Shelves) -> Iterator[tuple[Unit, _Shared]]:
    if not part.is_dir(follow_symlinks=False):
        yield from _unit(part.name, Path(part.path), _files(part))
    elif part.name in _BY_FILE:
        for entry in _files_below(part):
            yield from _unit(part.name, Path(entry.path), [entry])
    else:
        yield from _trees(part.name, Path(part.path), shelves)


def _trees(name: str, folder: Path, shelves: Shelves) -> Iterator[tuple[Unit, _Shared]]:
    """What is in a directory that is called `name` below the cache; of a shelf, each directory in it."""
    for entry in _entries(folder):
        below = f"{name}/{entry.name}"
        if shelves.has(below):
            yield from _trees(below, Path(entry.path), shelves)
        else:
            shelved = shelves.has(name) and entry.is_dir(follow_symlinks=False)
            yield from _unit(name.partition("/")[0], Path(entry.path), _files(entry), shelved=shelved)


def _unit(
    part: str, path: Path, entries: list[os.DirEntry[str]], *, shelved: bool = False
) -> Iterator[tuple[Unit, _Shared]]:
    try:
        facts = [entry.stat(follow_symlinks=False) for entry in entries]
        own = path.lstat().st_mtime  # looking into a directory changes its access time
    except FileNotFoundError:
        return
    used = max([own, *(max(one.st_atime, one.st_mtime) for one in facts)])
    size = sum(one.st_size for one in facts if one.st_nlink <= 1)
    shared = {(one.st_dev, one.st_ino): one.st_size for one in facts if one.st_nlink > 1}
    yield Unit(part, path, size, used, shelved, _is_finished(part, path)), shared


def _is_finished(part: str, path: Path) -> bool:
    if _INCOMING in {path.name, path.parent.name} or path.parent.name == "partial":
        return False
    return not (path.parent.name == part == "layers" and path.name.startswith("tmp"))


def _files(entry: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    return list(_files_below(entry)) if entry.is_dir(follow_symlinks=False) else [entry]


def _files_below(directory: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(Path(directory.path)):
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry)
        else:
            yield entry


def _remove(unit: Unit, shelves: Shelves) -> bool:
    """Whether it is gone."""
    with disk_errors(unit.path):
        if unit.shelved:
            return shelves.remove(unit.path)
        with contextlib.ExitStack() as stack:
            if not all(_take(place, stack) for place in _locks(unit.path)):
                return False
            if unit.path.is_dir() and not unit.path.is_symlink():
                _remove_tree(unit.path)
            else:
                unit.path.unlink(missing_ok=True)
    return True


def _locks(path: Path) -> list[Path]:
    """Where whoever uses a file or a directory of the cache holds a lock: in it, beside it, or on the file itself."""
    if os.name != "posix":
        return []  # what is open can't be removed there
    places = [path / "lock", path.with_name(f"{path.name}.lock"), *([path] if path.suffix == ".lock" else [])]
    return [place for place in places if place.is_file() and not place.is_symlink()]


def _take(place: Path, stack: contextlib.ExitStack) -> bool:
    """Lock a file until the removal is done, unless somebody has it locked."""
    try:
        handle = os.open(place, os.O_RDWR)
    except FileNotFoundError:
        return True
    stack.callback(os.close, handle)
    return lock(handle, wait=False)


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
