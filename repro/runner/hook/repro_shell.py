"""Lets the programs that cells start by `!` find nobody to ask, as every other program of an evaluation does.

IPython gives them a terminal, on which a question waits for ever. They still print to it; nothing else changes.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_starting: set[int] = set()
"""Threads in which IPython starts such a program. Others, and pexpect in the user's own hands, are left alone."""


def unattended(module: Any) -> None:
    """Change `IPython.utils._process_posix`, which has just been imported, and has forked nothing yet."""
    handler = module.ProcessHandler
    original = handler.system

    def system(self: Any, cmd: str) -> Any:
        _starting.add(get_ident())
        try:
            return original(self, cmd)
        finally:
            _starting.discard(get_ident())

    handler.system = system
    module.system = handler().system
    os.register_at_fork(after_in_child=_turn_away)


def _turn_away() -> None:
    """In the child, between fork and exec: no standard input, and on Linux no terminal to open (/dev/tty) either.

    Without it the child isn't told when the kernel is gone; on Linux the runner ends what is left itself.
    """
    if get_ident() not in _starting:
        return
    if sys.platform == "linux":
        _leave_terminal()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _leave_terminal() -> None:
    """Give up the controlling terminal (tty_ioctl(4)), whose farewell is a SIGHUP."""
    import fcntl  # noqa: PLC0415 - POSIX only
    import signal  # noqa: PLC0415
    import termios  # noqa: PLC0415

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        fcntl.ioctl(0, termios.TIOCNOTTY)
    except OSError:
        pass  # there is none
    finally:
        signal.signal(signal.SIGHUP, before or signal.SIG_DFL)
