"""The operating system's view of a run: which files any process opened or changed, C and C++ code included.

Linux tells through inotify(7), without privileges; elsewhere there is a watcher that sees nothing and says so.
"""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from repro.capture.tracing.beyond import Beyond, Listings
from repro.capture.tracing.seen import FileEvents, WatchedFiles

if sys.platform == "linux":
    from repro.capture.tracing.file_watcher import FileWatcher

__all__ = ["BlindWatcher", "FileEvents", "FileWatcher", "WatchedFiles", "Watcher", "watch_files"]


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


def watch_files(root: Path, beyond: Beyond | None = None, trace: Path | None = None) -> "FileWatcher | BlindWatcher":
    """A watcher of everything below `root` that is not ignored (see `repro.capture.snapshot`).

    Args:
        root: Project root, absolute, links resolved.
        beyond: Which places outside of it are watched, too.
        trace: The folder of the run's trace; folders that Python lists outside of the project are watched from then on.
    """
    if sys.platform != "linux":
        return BlindWatcher(f"this system does not tell which files compiled code reads; {_NAME_THEM}")
    try:
        return FileWatcher(root, beyond, Listings(trace) if trace else None)
    except OSError as error:
        return BlindWatcher(f"the system refuses to watch files (inotify: {error.strerror}); {_NAME_THEM}")


_NAME_THEM = (
    "Python's own reads, those of well-known libraries, and files that the sources name are locked; "
    "name others in repro.toml, [files] include"
)
