"""Ends what an evaluation started, and says in words how a process ended."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from . import cgroup
from .documents import Failure

_KILL_FIRST = "500"


def kill_group(group: int | None) -> None:
    """Kill every process of a group, if there still is one. Does nothing on Windows, where there are no groups."""
    if group and os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def kill_first(pid: int) -> None:
    """Ask Linux to sacrifice this process rather than the runner, which has to report it, when memory runs out."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(_KILL_FIRST, encoding="ascii")


def death(what: str, code: int | None, oom_before: int, **where: object) -> Failure:
    """The failure for a process that ended by itself or was killed.

    Args:
        what: Such as "the kernel".
        code: Its return code as subprocess gives it, negative for signals; None when unknown.
        oom_before: `cgroup.oom_kills()` before it ran.
        where: Further fields of Failure.
    """
    if cgroup.oom_kills() > oom_before:
        return Failure("memory", f"{what} was killed because memory ran out{_limit()}", **where)  # type: ignore[arg-type]
    return Failure("died", f"{what} {_ending(code)}", **where)  # type: ignore[arg-type]


def _limit() -> str:
    limit = cgroup.memory_limit()
    return f" (limit {limit / (1 << 20):.0f} MiB)" if limit else ""


def _ending(code: int | None) -> str:
    if code is None:
        return "died"
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
