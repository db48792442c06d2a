"""The operating system's view of a run: which project files any process opened or changed, C and C++ code included.

Linux tells through inotify(7), without privileges; elsewhere there is a watcher that sees nothing and says so.
"""

import errno
import os
import select
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from repro.capture.snapshot import entries, ignored_file, ignored_folder, subfolders

if sys.platform == "linux":
    from inotify_simple import Event, INotify, flags  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class FileEvents:
    """What happened to one file, in the order in which the system saw it.

    Attributes:
        opens_before: How often it was opened before it first changed (or at all).
        opens_after: How often it was opened after it first changed.
        read_before: A handle that couldn't write was closed before it first changed.
        changed: It was written, created, moved here or removed.
        replaced: … and the first change put another file in its place, or took it away.
    """

    opens_before: int = 0
    opens_after: int = 0
    read_before: bool = False
    changed: bool = False
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class WatchedFiles:
    """What a watcher saw.

    Attributes:
        files: POSIX path relative to the root → its events.
        complete: False when events were lost or parts of the project were not watched.
        warnings: Why not, for the author.
    """

    files: Mapping[str, FileEvents] = field(default_factory=dict)
    complete: bool = True
    warnings: tuple[str, ...] = ()


class Watcher(Protocol):
    """Watches while its `with` block runs."""

    def seen(self) -> WatchedFiles:
        """What was seen; call it after the block."""


class BlindWatcher(AbstractContextManager["BlindWatcher"], Watcher):
    """For systems that don't tell."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    def seen(self) -> WatchedFiles:  # noqa: D102 - as in Watcher
        return WatchedFiles(complete=False, warnings=(self._reason,))


def watch_files(root: Path) -> "FileWatcher | BlindWatcher":
    """A watcher of everything below `root` that is not ignored (see `repro.capture.snapshot`)."""
    if sys.platform != "linux":
        return BlindWatcher(f"this system does not tell which files compiled code reads; {_NAME_THEM}")
    try:
        return FileWatcher(root)
    except OSError as error:
        return BlindWatcher(f"the system refuses to watch files (inotify: {error.strerror}); {_NAME_THEM}")


_NAME_THEM = "if the evaluation reads any without Python's open(), name them in repro.toml: [files] include"


@dataclass(slots=True)
class _Record:
    """Mutable counterpart of FileEvents."""

    opens_before: int = 0
    opens_after: int = 0
    read_before: bool = False
    changed: bool = False
    replaced: bool = False

    def opened(self) -> None:
        if self.changed:
            self.opens_after += 1
        else:
            self.opens_before += 1

    def closed_unwritten(self) -> None:
        self.read_before = self.read_before or not self.changed

    def change(self, *, replaced: bool) -> None:
        if not self.changed:
            self.changed, self.replaced = True, replaced

    def frozen(self) -> FileEvents:
        return FileEvents(self.opens_before, self.opens_after, self.read_before, self.changed, self.replaced)


if sys.platform == "linux":
    _REPLACE = flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE
    _MASK = (
        flags.OPEN | flags.CLOSE_NOWRITE | flags.CLOSE_WRITE | flags.MODIFY | _REPLACE | flags.ONLYDIR
    ) | flags.DONT_FOLLOW


class FileWatcher:
    """Watches a tree by inotify; folders are added as they appear. Use it once, in a `with` block.

    Raises OSError when made while the system has no inotify instance left.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._inotify = INotify()
        self._folders: dict[int, str] = {}
        self._records: dict[str, _Record] = {}
        self._warnings: list[str] = []
        self._thread = threading.Thread(target=self._listen, name="repro-watch", daemon=True)

    def __enter__(self) -> Self:
        self._wake, self._stop = os.pipe()
        self._add("")
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
        files = {path: record.frozen() for path, record in self._records.items()}
        return WatchedFiles(files, complete=not self._warnings, warnings=tuple(self._warnings))

    def _listen(self) -> None:
        while self._wake not in select.select([self._inotify.fileno(), self._wake], [], [])[0]:
            self._drain()

    def _drain(self) -> None:
        while events := list(self._inotify.read(timeout=0)):
            for event in events:
                self._take(event)

    def _take(self, event: "Event") -> None:
        if event.mask & flags.Q_OVERFLOW:
            self._warn(
                "more happened in the project than the system could tell; files that only compiled code read "
                "may be missing from the lock: name them in repro.toml, [files] include"
            )
        elif event.mask & flags.IGNORED:
            self._folders.pop(event.wd, None)
        elif event.name and event.wd in self._folders:
            path = self._folders[event.wd] + event.name
            if event.mask & flags.ISDIR:
                self._take_folder(event.mask, path)
            elif not ignored_file(event.name):
                self._take_file(event.mask, path)

    def _take_folder(self, mask: int, path: str) -> None:
        appeared = mask & (flags.CREATE | flags.MOVED_TO)
        if appeared and not ignored_folder(os.path.join(self._root, path)):  # noqa: PTH118
            self._add(path + "/", appeared=True)

    def _take_file(self, mask: int, path: str) -> None:
        record = self._records.setdefault(path, _Record())
        if mask & _REPLACE:
            record.change(replaced=True)
        if mask & flags.MODIFY:
            record.change(replaced=False)
        if mask & flags.OPEN:
            record.opened()
        if mask & flags.CLOSE_NOWRITE:
            record.closed_unwritten()

    def _add(self, prefix: str, *, appeared: bool = False) -> None:
        """Watch a folder and those below it; files in a folder that has just appeared count as changed."""
        folder = os.path.join(self._root, prefix)  # noqa: PTH118
        try:
            self._folders[self._inotify.add_watch(folder, _MASK)] = prefix
        except OSError as error:
            self._not_watched(error, prefix)
            return
        if appeared:
            for entry in entries(folder):
                if entry.is_file(follow_symlinks=False) and not ignored_file(entry.name):
                    self._records.setdefault(prefix + entry.name, _Record()).change(replaced=True)
        for entry in subfolders(folder):
            self._add(f"{prefix}{entry.name}/", appeared=appeared)

    def _not_watched(self, error: OSError, prefix: str) -> None:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return  # gone again
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
