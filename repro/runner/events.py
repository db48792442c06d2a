"""What an evaluation tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

KERNEL_READY = "kernel-ready"
CELL_STARTED = "cell-started"
CELL_FINISHED = "cell-finished"
OUTPUT = "output"


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: "kernel-ready", "cell-started", "cell-finished" or "output" (one line that a script printed).
        number: Of the cell, from 1 among code cells; 0 where there is none.
        total: Number of code cells.
        title: The cell's first line that isn't empty, or the printed line.
        seconds: How long the cell took, once it finished.
    """

    kind: str
    number: int = 0
    total: int = 0
    title: str = ""
    seconds: float = 0.0


Listener = Optional[Callable[[Event], None]]


def ignore(event: Event) -> None:
    """The listener of those who don't listen."""
