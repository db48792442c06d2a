"""Directories named by a digest: made once, whole or not at all, and never removed while somebody uses them."""

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.digest import Digest
from repro.files import disk_errors
from repro.flock import is_at, lock
from repro.oci.folders import remove_tree

_LOCK = "lock"
_SETTLED = 60.0


class Shelf:
    """Directories `<64 hex digits>` below one directory, safe for several processes and for being killed.

    Each has a file `lock`: whoever uses the directory holds it shared, whoever removes it exclusively. Its time of
    modification is when the directory was last used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"

    def place(self, digest: Digest) -> Path:
        """Where the directory of this digest is, or would be."""
        return self._directory / digest.hex

    @contextlib.contextmanager
    def hold(self, digest: Digest, make: Callable[[Path], None]) -> Iterator[Path]:
        """The directory of this digest, kept for as long as the context lasts.

        `make` fills an empty one where there is none. Raises InfrastructureError when the disk refuses, and whatever
        `make` raises; nothing is left behind then.
        """
        place = self.place(digest)
        handle = _hold(place)
        while handle is None:
            self._add(place, make)
            handle = _hold(place)
        try:
            yield place
        finally:
            os.close(handle)

    def items(self) -> list["Item"]:
        """What is there, in no order, leftovers of those who were killed included."""
        found = [path for path in _listed(self._directory) if path != self._incoming]
        return [Item(path, _used(path)) for path in found] + [Item(path, 0.0) for path in _listed(self._incoming)]

    def _add(self, place: Path, make: Callable[[Path], None]) -> None:
        with disk_errors(place):
            self._incoming.mkdir(parents=True, exist_ok=True)
            incoming = Path(tempfile.mkdtemp(prefix=f"{place.name[:12]}-", dir=self._incoming))
            try:
                handle = os.open(incoming / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    lock(handle)
                    make(incoming)
                    _flush()
                    _put(incoming, place)
                finally:
                    os.close(handle)
            finally:
                if incoming.exists():
                    remove_tree(incoming)


@dataclass(frozen=True, slots=True)
class Item:
    """A directory of a shelf.

    Attributes:
        path: Where it is.
        used: When it was last used, in seconds since 1970; 0 for what a killed process left.
    """

    path: Path
    used: float

    def remove(self) -> bool:
        """Remove it unless somebody uses it; says whether it is gone."""
        try:
            handle = os.open(self.path / _LOCK, os.O_RDWR)
        except FileNotFoundError:
            return self._remove_unlocked()
        try:
            if not lock(handle, wait=False):
                return False
            if not is_at(handle, self.path / _LOCK):
                return not self.path.exists()  # somebody removed it before we had the lock, or gave it its name
            _remove(self.path)
        finally:
            os.close(handle)
        return True

    def _remove_unlocked(self) -> bool:
        """One without a lock was left by a process that was killed, or begins at this moment."""
        try:
            if time.time() - self.path.stat().st_mtime < _SETTLED:
                return False
        except FileNotFoundError:
            return True
        remove_tree(self.path)
        return True


def _hold(place: Path) -> int | None:
    """A handle that keeps a directory from being removed; None when there is no such directory."""
    try:
        handle = os.open(place / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        lock(handle, exclusive=False)
        if is_at(handle, place / _LOCK):
            os.utime(handle)
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _flush() -> None:
    """After a power cut a file system may remember a rename, but not what was written into the files before."""
    if hasattr(os, "sync"):
        os.sync()


def _put(incoming: Path, place: Path) -> None:
    """Rename, unless somebody else was faster."""
    try:
        incoming.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _remove(place: Path) -> None:
    """Take its name away first, so that nobody finds a half of it."""
    doomed = place.with_name(f"{place.name[:12]}-{uuid.uuid4().hex}")
    place.rename(doomed)
    remove_tree(doomed)


def _listed(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _used(place: Path) -> float:
    with contextlib.suppress(OSError):
        return (place / _LOCK).stat().st_mtime
    return 0.0
