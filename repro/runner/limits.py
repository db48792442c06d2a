"""Time limits: one for everything, one for each cell."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .documents import Failure

_SHORTEST = 0.001


@dataclass(frozen=True)
class Limits:
    """When things have to be over.

    Attributes:
        total: Seconds for everything, or None.
        cell: Seconds for one cell, or None.
        started: `time.monotonic()` at the start.
    """

    total: float | None
    cell: float | None
    started: float

    @classmethod
    def begin(cls, total: float | None, cell: float | None) -> Limits:
        """Limits that count from now."""
        return cls(total, cell, time.monotonic())

    def remaining(self) -> float | None:
        """Seconds left of the total, a little more than none at least, or None without a limit."""
        if self.total is None:
            return None
        return max(self.started + self.total - time.monotonic(), _SHORTEST)

    def for_cell(self) -> float | None:
        """Seconds that a cell starting now may take."""
        return min((limit for limit in (self.cell, self.remaining()) if limit is not None), default=None)

    def exceeded(self, what: str, cell: int | None = None, source: str = "", traceback: str = "") -> Failure:
        """The failure for `what`, such as "the script", that did not end in time."""
        left = self.remaining()
        if left is not None and left <= _SHORTEST:
            message = f"{what} was still running when the time limit of {self.total:g} s for the whole evaluation ended"
        else:
            message = f"{what} did not finish within its time limit of {self.cell:g} s"
        return Failure("timeout", message, cell, source, traceback)
