"""For runs that go on only once their output was seen, or whose time is over then: no machine is too slow for them."""

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from repro.engines.model import Shown

AT = PurePosixPath("/srv")
WAIT = f"""
import os, time
def seen(lines):
    while not os.path.exists(f'{AT}/seen/{{lines}}'): time.sleep(0.01)
"""
"""Python for a run: `seen(2)` returns when two lines have come out."""
_HOURS = 7200.0


class Seen:
    """Takes a run's output line by line, and tells the run of each.

    Args:
        folder: A new one, which every user must be able to reach.

    Attributes:
        lines: What came so far.
        shown: What the run needs to be told.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        folder.chmod(0o755)
        self.lines: list[str] = []
        self.shown = Shown(AT, {"seen": folder})
        self._folder = folder

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        (self._folder / str(len(self.lines))).touch()


def hours_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes a run's output; by the clock of this process, two hours pass as soon as there is some."""
    clock, lines = time.monotonic, list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: clock() + (_HOURS if lines else 0))
    return lines.append
