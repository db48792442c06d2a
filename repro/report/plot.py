"""Where a metric's values lie: the geometry of a small picture, in its own units. Drawing it is the template's work."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.runner.compare import Comparison
from repro.runner.documents import Value
from repro.verify.model import MetricRuns

WIDTH = 240
_EDGE = 10
_AIR = 0.06
"""Of the range, on both sides."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Values on a line, with the allowed range behind them.

    Attributes:
        laptop: Places of the laptop's values, 0 to `WIDTH`.
        here: Places of this verification's.
        baseline: Place of the one that counts.
        band: Left edge and width of what is allowed; None where only the very value is.
        low: Difference from the baseline at the least of all that is shown, for people.
        high: The same at the largest.
        text: What there is to see, in words.
    """

    laptop: tuple[float, ...]
    here: tuple[float, ...]
    baseline: float
    band: tuple[float, float] | None
    low: str
    high: str
    text: str


def plot_of(item: Comparison, runs: MetricRuns | None, captured: Sequence[Value] = ()) -> Plot | None:
    """The picture of one metric; None where there is nothing to see: no numbers, or all the same and no tolerance.

    Args:
        item: The metric.
        runs: Its values in several runs here, or None.
        captured: Its values in further runs on the laptop.
    """
    laptop = _numbers((item.baseline, *(runs.baseline[1:] if runs else captured)))
    here = _numbers(runs.values if runs else (item.measured,))
    if not laptop or not here or _number(item.baseline) is None:
        return None
    limits = [] if item.low is None or item.high is None else [item.low, item.high]
    least, most = min(*laptop, *here, *limits), max(*laptop, *here, *limits)
    span = most - least
    if not math.isfinite(span) or span <= 0:
        return None

    def place(value: float) -> float:
        share = (value - least) / span
        return round(_EDGE + (WIDTH - 2 * _EDGE) * (_AIR + (1 - 2 * _AIR) * share), 2)

    wide = limits and limits[1] > limits[0]
    band = (place(limits[0]), round(max(place(limits[1]) - place(limits[0]), 1), 2)) if wide else None
    return Plot(
        laptop=tuple(map(place, laptop)),
        here=tuple(map(place, here)),
        baseline=place(laptop[0]),
        band=band,
        low=_apart(least - laptop[0]),
        high=_apart(most - laptop[0]),
        text=_words(item, laptop, here, limits),
    )


def _apart(difference: float) -> str:
    return f"{difference:+.3g}" if difference else "0"


def _words(item: Comparison, laptop: list[float], here: list[float], limits: list[float]) -> str:
    outside = sum(not limits[0] <= value <= limits[1] for value in here) if limits else 0
    allowed = f", {len(here) - outside} of {len(here)} inside what is allowed ({item.rule})" if limits else ""
    sides = f"laptop {_range(laptop)}, here {_range(here)}"
    return f"{item.name}: {sides}{allowed}"


def _range(values: list[float]) -> str:
    if min(values) == max(values):
        return repr(values[0])
    return f"{min(values)!r} to {max(values)!r} ({len(values)} runs)"


def _numbers(values: Iterable[Value | None]) -> list[float]:
    return [number for number in map(_number, values) if number is not None]


def _number(value: Value | None) -> float | None:
    """A finite number as a float; None for everything else."""
    if value is None or isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
