"""Limits for runs that would end badly otherwise: floods of output, questions that nobody answers, strays."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .documents import Failure

MOST_OUTPUT = 256 << 20
"""Bytes that a run may print before it is ended."""

KEPT_OUTPUT = 32 << 20
"""Bytes of printed text that are kept in the executed notebook or the log."""

ASKS_FOR_INPUT = (
    "it asks for keyboard input (input() or getpass()), which nobody can give in an unattended run; "
    "replace it by a constant or a variable"
)
FULL_DISK = "the disk is full, or a quota is used up: free space where it writes, or let it write less"
_NO_SPACE = re.compile(
    r"\[Errno 28\]|errno = 28\b|No space left on device|dis[ck] quota exceeded|database or disk is full"
    r"|not enough space on the disk",
    re.IGNORECASE,
)
"""As systems, SQLite and HDF5 say it."""
_GRACE = 0.1  # seconds for processes that are ending anyway
_ROUNDS = 20
_TOLD = 5


class Flood:
    """Counts what a run prints, from any thread, and ends the run when it is too much."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._printed = 0
        self.over = False

    def take(self, count: int) -> int:
        """Count bytes that were printed; how many of them are to be kept."""
        kept = max(0, min(count, KEPT_OUTPUT - self._printed))
        self._printed += count
        self.look_at(self._printed)
        return kept

    def look_at(self, total: int) -> None:
        """End the run when `total` bytes, of whatever is counted elsewhere, are too many."""
        if total > MOST_OUTPUT and not self.over:
            self.over = True
            self._end()

    def failure(self, what: str, cell: int | None = None, source: str = "") -> Failure:
        """The failure for `what`, such as "the script", that was ended for it."""
        message = f"{what} printed more than {MOST_OUTPUT >> 20} MiB and was stopped; print less"
        return Failure("died", message, cell, source)

    def warnings(self) -> list[str]:
        """What a person should know."""
        if self._printed <= KEPT_OUTPUT:
            return []
        return [f"it printed {self._printed >> 20} MiB; only the first {KEPT_OUTPUT >> 20} MiB of its output are kept"]


def explained(message: str) -> str:
    """An error of the program's own, with what it comes from where that is a full disk."""
    return f"{message}; {FULL_DISK}" if _NO_SPACE.search(message) else message


def end_strays(mark: str) -> list[str]:
    """Kill processes that left the run's process group, such as daemons; the warning about them, if there were any.

    On Linux only, where a process shows the environment that it inherited.

    Args:
        mark: `NAME=value` that all processes of the run have inherited, and no other.
    """
    if not _strays(mark):
        return []
    time.sleep(_GRACE)
    left = names = _strays(mark)
    for _ in range(_ROUNDS):
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        left = _strays(mark)
        if not left:
            break
        time.sleep(_GRACE)
    if not names:
        return []
    told = ", ".join(sorted(set(names.values()))[:_TOLD])
    return [f"the run left processes behind, which were ended: {told}; let it wait for what it starts"]


def _strays(mark: str) -> dict[int, str]:
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(mark) in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().split(b"\0")
                found[int(process.name)] = b" ".join(words[:3]).decode("utf-8", "replace").strip()
        except OSError:
            continue
    return {pid: name for pid, name in found.items() if pid != os.getpid() and name}
