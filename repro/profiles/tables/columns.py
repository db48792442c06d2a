"""What is known of a column: counts, the few distinct values, and numbers enough for its quartiles."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

MOST_COLUMNS = 256
MOST_DISTINCT = 50
MOST_NUMBERS = 4_000_000
"""Of all columns together; where there are more, quartiles are those of evenly spaced rows."""
_FEWEST_NUMBERS = 1000
CELLS = 200_000
"""How many are looked at at once."""


class NotATableError(Exception):
    """Nothing that is described by rows and columns."""


class Numbers:
    """A column's numbers: the extremes, and so many of all, evenly spaced, that they fit in `most`."""

    def __init__(self, most: int) -> None:
        self._most, self._stride, self._count = most, 1, 0
        self._kept = array("d")
        self._low, self._high = math.inf, -math.inf

    def add(self, values: array[float]) -> None:
        """Take the next numbers, none of them NaN."""
        if not values:
            return
        low, high = min(values), max(values)
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._kept.extend(values[-self._count % self._stride :: self._stride])
        self._count += len(values)
        while len(self._kept) > self._most:
            self._kept = self._kept[::2]
            self._stride *= 2

    def quantiles(self) -> list[float]:
        """Minimum, quartiles and maximum; in between linear, as NumPy does it."""
        if not self._count:
            return []
        ranked = sorted(self._kept)
        return [self._low, *(_quantile(ranked, share) for share in (0.25, 0.5, 0.75)), self._high]


def _quantile(ranked: Sequence[float], share: float) -> float:
    place = (len(ranked) - 1) * share
    below = int(place)
    low, high = ranked[below], ranked[min(below + 1, len(ranked) - 1)]
    if low == high or place == below or math.isinf(low) or math.isinf(high):
        return low
    return low + (high - low) * (place - below)


class Column:
    """One column so far."""

    def __init__(self, name: str, most: int) -> None:
        self.name = printable(name)
        self.nulls = 0
        self.numbers = Numbers(most)
        self._distinct: set[Any] | None = set()

    @property
    def counts_distinct(self) -> bool:
        """Whether there are few distinct values so far."""
        return self._distinct is not None

    def see_distinct(self, values: Iterable[Any]) -> None:
        """Remember values as long as they are few."""
        if self._distinct is not None:
            self._distinct.update(values)
            if len(self._distinct) > MOST_DISTINCT:
                self._distinct = None

    def ignore_distinct(self) -> None:
        """They can't be told apart."""
        self._distinct = None

    def described(self, kind: str) -> dict[str, Any]:
        """The column as JSON."""
        return {
            "name": self.name,
            "type": kind,
            "nulls": self.nulls,
            "distinct": None if self._distinct is None else len(self._distinct),
            "quantiles": self.numbers.quantiles() if kind in ("integer", "number") else [],
        }


def most_numbers(columns: Collection[Any]) -> int:
    """How many numbers are kept of each column. Raises NotATableError for too many columns."""
    if len(columns) > MOST_COLUMNS:
        msg = f"it has {len(columns)} columns, more than {MOST_COLUMNS}"
        raise NotATableError(msg)
    return max(_FEWEST_NUMBERS, MOST_NUMBERS // max(1, len(columns)))


def printable(text: str) -> str:
    """A text that can be written anywhere."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
