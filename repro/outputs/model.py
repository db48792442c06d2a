"""How outputs compare, as frozen values."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["same", "within", "moved", "missing", "unread"]

MOST_LINES = 20
"""Of details: what is told of one output."""
_MOST_SHOWN = 60


class UnreadableError(Exception):
    """A file's content isn't what its name says, or is more than is read. The message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two floats may lie apart, both ways; inside either is enough."""

    absolute: float | None = None
    relative: float | None = None

    def holds(self, baseline: float, here: float) -> bool:
        """Whether two floats that are not equal are near enough; an infinity or a NaN is near nothing else."""
        difference = abs(here - baseline)
        if not difference < float("inf"):
            return False
        near = self.absolute is not None and difference <= self.absolute
        return near or (self.relative is not None and difference <= self.relative * abs(baseline))

    def __str__(self) -> str:
        texts = [f"±{self.absolute:g}"] if self.absolute is not None else []
        texts += [f"±{self.relative * 100:g} %"] if self.relative is not None else []
        return " or ".join(texts) or "exact"


@dataclass(frozen=True, slots=True)
class Content:
    """How two contents compare.

    Attributes:
        status: "same", "within" the tolerance, "moved" beyond it, or "unread".
        summary: One line.
        details: Lines that say where they differ.
    """

    status: Status
    summary: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """One output's verdict.

    Attributes:
        name: Its path in the project.
        kind: As what it is compared: "table", "array", "figure", "text" or "bytes".
        status: "same" (bits, or content), "within" (its tolerance), "moved", "missing" (the run here didn't write it),
            or "unread": other bits, and their content could not be compared.
        passed: Whether it stands in the way of "verified".
        rule: What was applied, for people.
        summary: One line.
        details: Lines that say where they differ.
        picture: Laptop, here and difference side by side, as a path in the evidence; "" for none.
    """

    name: str
    kind: str
    status: Status
    passed: bool
    rule: str
    summary: str
    details: tuple[str, ...] = ()
    picture: str = ""


def shown(value: object) -> str:
    """A value out of a file for people: on one line, not too long, nothing that steers a terminal."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def shown_name(name: str) -> str:
    """A name out of a file, bare where that can be."""
    plain = name.isprintable() and name.strip() == name and 0 < len(name) <= _MOST_SHOWN
    return name if plain else shown(name)


def cut(lines: list[str]) -> tuple[str, ...]:
    """The first lines, and how many more there are."""
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more)
