"""When each cell of a run ran, so that what processes did can be told by cell."""

import sys
import time
from dataclasses import dataclass

from repro.runner.events import CELL_FINISHED, CELL_STARTED, Event


@dataclass(frozen=True, slots=True)
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

    @property
    def spans(self) -> tuple[Span, ...]:
        """So far, in order."""
        return tuple(self._spans)
