"""When each cell of a run ran, so that what processes did can be told by cell."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Callable

from .events import CELL_FINISHED, CELL_STARTED, Event


@dataclass(frozen=True)
class Span:
    """A code cell's time.

    Attributes:
        cell: Its number among code cells, from 1.
        start: Monotonic nanoseconds, as in the trace.
        end: Likewise; far away while the cell runs.
    """

    cell: int
    start: int
    end: int = sys.maxsize


class CellClock:
    """Notes the runner's events as they happen. The monotonic clock is one for all processes of a machine."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    def take(self, event: Event) -> None:
        """Note an event; only those of cells count."""
        now = time.monotonic_ns()
        if event.kind == CELL_STARTED:
            self._spans.append(Span(event.number, now))
        elif event.kind == CELL_FINISHED and self._spans:
            self._spans[-1] = Span(event.number, self._spans[-1].start, now)

    def before(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that notes events and then tells them on."""

        def hear(event: Event) -> None:
            self.take(event)
            tell(event)

        return hear

    @property
    def spans(self) -> tuple[Span, ...]:
        """So far, in order."""
        return tuple(self._spans)
