"""Watching by Linux's inotify(7): the project, and places outside of it that the run is likely to read from.

Imported on Linux only.
"""

import errno
import os
import select
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

from repro.capture.snapshot import entries, ignored_file, ignored_folder
from repro.capture.tracing.beyond import Beyond, Listings
from repro.capture.tracing.seen import FileEvents, Record, WatchedFiles

# Plain numbers: hundreds of thousands of events are compared with them.
_OPEN, _CLOSE, _MODIFY, _APPEAR = (
    int(mask) for mask in (flags.OPEN, flags.CLOSE_NOWRITE, flags.MODIFY, flags.CREATE | flags.MOVED_TO)
)
_REPLACE = int(_APPEAR | flags.MOVED_FROM | flags.DELETE)
_LOST, _IGNORED, _FOLDER = int(flags.Q_OVERFLOW), int(flags.IGNORED), int(flags.ISDIR)
_OF_FILES = _OPEN | _CLOSE | _MODIFY
_OF_FOLDERS = int(_OF_FILES | _REPLACE | flags.ONLYDIR | flags.DONT_FOLLOW)
_HEADER = struct.Struct("iIII")
_MOST_BYTES = 1 << 18  # read at once
_MANY_BYTES = 1 << 16  # the system keeps some 500 kB for those who are slow
_PAUSE = 0.005  # seconds in which events gather, while they aren't many
_TURN = 0.05  # seconds between looks at what the run listed outside of the project
_MOST_OUTSIDE = 2000  # folders outside: a data set's, not a home's


class FileWatcher:
    """Watches a tree by inotify; folders are added as they appear. Use it once, in a `with` block.

    Paths are kept relative to the root inside of it, and absolute outside.

    Raises OSError when made while the system has no inotify instance left.
    """

    def __init__(self, root: Path, beyond: Beyond | None = None, listings: Listings | None = None) -> None:
        self._root = os.fspath(root)
        self._beyond = beyond or Beyond()
        self._listings = listings
        self._inotify = INotify(nonblocking=True)
        self._folders: dict[int, str] = {}
        self._files: dict[int, str] = {}
        self._records: dict[str, Record] = {}
        self._recent: dict[tuple[int, bytes], Record | None] = {}
        self._links: dict[str, str] = {}
        self._outside: set[str] = set()
        self._warnings: list[str] = []
        self._thread = threading.Thread(target=self._listen, name="repro-watch", daemon=True)

    def __enter__(self) -> Self:
        self._wake, self._stop = os.pipe()
        self._add("")
        for place in (*self._beyond.places, *self._links.values()):
            self._add_outside(place)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop. What happened before this call is taken in: the system queues events as they happen."""
        os.close(self._stop)
        self._thread.join()
        self._drain()
        self._inotify.close()
        os.close(self._wake)

    def seen(self) -> WatchedFiles:
        """What was seen; call it after the block."""
        files: dict[str, FileEvents] = {}
        outside: dict[str, FileEvents] = {}
        for path, record in self._records.items():
            (outside if path.startswith(os.sep) else files)[path] = record.frozen()
        return WatchedFiles(files, not self._warnings, tuple(self._warnings), outside, dict(self._links))

    def _listen(self) -> None:
        turn = _TURN if self._listings else None
        while self._wake not in select.select([self._inotify.fileno(), self._wake], [], [], turn)[0]:
            if self._drain() < _MANY_BYTES:
                select.select([self._wake], [], [], _PAUSE)
            for folder in self._listings.new() if self._listings else ():
                self._add_outside(folder)

    def _drain(self) -> int:
        """Take in what the system has queued: each event is a header and a padded name (inotify(7)). In bytes."""
        taken = 0
        while data := self._read():
            taken += len(data)
            start, end = 0, len(data)
            while start < end:
                wd, mask, _, size = _HEADER.unpack_from(data, start)
                start += _HEADER.size + size
                self._take(wd, mask, data[start - size : start])
        return taken

    def _read(self) -> bytes:
        try:
            return os.read(self._inotify.fileno(), _MOST_BYTES)
        except BlockingIOError:
            return b""

    def _take(self, wd: int, mask: int, padded: bytes) -> None:
        if mask & (_LOST | _IGNORED | _FOLDER):
            self._take_other(wd, mask, padded)
            return
        key = (wd, padded)
        record = self._recent[key] if key in self._recent else self._find(key)
        if record is None:
            return
        if mask & _OPEN:
            record.opened()
        elif mask & _CLOSE:
            record.closed_unwritten()
        else:
            record.change(replaced=not mask & _MODIFY)

    def _find(self, key: tuple[int, bytes]) -> Record | None:
        """The record of the file that an event is about, None where it doesn't count."""
        wd, name = key[0], _name(key[1])
        path = self._files.get(wd, "")
        if not path and name and wd in self._folders:
            path = self._folders[wd] + name
            path = "" if path not in self._records and ignored_file(name) else path
        record = self._records.setdefault(path, Record()) if path else None
        self._recent[key] = record
        return record

    def _take_other(self, wd: int, mask: int, padded: bytes) -> None:
        if mask & _LOST:
            self._warn(
                "more happened in the project than the system could tell; files that only compiled code read "
                "may be missing from the lock: name them in repro.toml, [files] include"
            )
        elif mask & _IGNORED:
            self._folders.pop(wd, None)
            self._files.pop(wd, None)
            self._recent.clear()
        elif padded and mask & _APPEAR and wd in self._folders:
            path = self._folders[wd] + _name(padded)
            if not ignored_folder(self._absolute(path)):
                self._add(path + "/", appeared=True)

    def _absolute(self, path: str) -> str:
        return os.path.join(self._root, path)  # noqa: PTH118 - absolute ones stay

    def _add(self, prefix: str, *, appeared: bool = False) -> None:
        """Watch a folder and those below it; files in a folder that has just appeared count as changed."""
        outside = prefix.startswith(os.sep)
        if outside and not self._may_add(prefix):
            return
        folder = self._absolute(prefix)
        try:
            self._folders[self._inotify.add_watch(folder, _OF_FOLDERS)] = prefix
        except OSError as error:
            self._not_watched(error, prefix)
            return
        self._recent.clear()  # the folder may have been watched by another name
        found = entries(folder)
        for entry in found:
            path = prefix + entry.name
            if entry.is_symlink():
                if not outside:
                    self._take_link(path)
            elif appeared and entry.is_file(follow_symlinks=False) and not ignored_file(entry.name):
                self._records.setdefault(path, Record()).change(replaced=True)
        for entry in found:
            if entry.is_dir(follow_symlinks=False) and not ignored_folder(entry.path):
                self._add(f"{prefix}{entry.name}/", appeared=appeared)

    def _take_link(self, path: str) -> None:
        target = os.path.realpath(self._absolute(path))
        if os.path.exists(target) and not ignored_folder(target):  # noqa: PTH110 - called for every link of a project
            self._links[path] = target

    def _add_outside(self, place: str) -> None:
        """Watch a file, or a folder with those below it, that the run may read although it is not in the project."""
        place = os.path.realpath(place)
        above = self._root.startswith(f"{place.rstrip(os.sep)}{os.sep}")
        if above or f"{place}/".startswith(f"{self._root}/") or not self._beyond.counts(place):
            return
        if os.path.isdir(place):  # noqa: PTH112
            self._add(f"{place}/")
        elif os.path.dirname(place) + "/" not in self._outside:  # noqa: PTH120
            try:
                self._files[self._inotify.add_watch(place, _OF_FILES)] = place
            except OSError as error:
                self._not_watched(error, place)

    def _may_add(self, prefix: str) -> bool:
        if prefix in self._outside or prefix.startswith(f"{self._root}/"):
            return False
        if len(self._outside) >= _MOST_OUTSIDE:
            self._warn(
                f"more than {_MOST_OUTSIDE} folders outside of the project belong to what the run names, such as "
                f"{prefix}; files there that only compiled code read may be unseen: move the data into the project"
            )
            return False
        self._outside.add(prefix)
        return True

    def _not_watched(self, error: OSError, prefix: str) -> None:
        if error.errno in {errno.ENOENT, errno.ENOTDIR} or (prefix.startswith(os.sep) and error.errno == errno.EACCES):
            return  # gone again, or out of the run's reach just as of ours
        if error.errno == errno.ENOSPC:
            self._warn(
                "the project has more folders than the system lets one user watch; raise "
                "fs.inotify.max_user_watches, or name what compiled code reads in repro.toml, [files] include"
            )
        else:
            self._warn(f"{prefix or '.'} can't be watched: {error.strerror}")

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _name(padded: bytes) -> str:
    return os.fsdecode(padded.rstrip(b"\0"))
