"""What a lock says of one metric, as frozen values: its baseline, how far a rerun may be from it, and its gates."""

from dataclasses import dataclass, field
from typing import Literal

MetricValue = float | int | bool | str
Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a metric may be from its baseline, both ways; exact when nothing is set, else inside any is enough.

    Attributes:
        absolute: Largest |measured - baseline|, in the metric's unit.
        relative: Largest |measured - baseline| / |baseline|.
        ulp: Largest distance in units in the last place of 64-bit floats.
        digits: Digits after the point with which the value was printed: one unit of the last one may differ.
        samples: How many samples the value counts (integer) or is a share of (float).
        flips: How many of these samples may come out otherwise; only with `samples`.
        band: Whether the 99 % prediction interval of the laptop's runs (`Metric.runs`) is the tolerance.
    """

    absolute: float | None = None
    relative: float | None = None
    ulp: int | None = None
    digits: int | None = None
    samples: int | None = None
    flips: int = 0
    band: bool = False


@dataclass(frozen=True, slots=True)
class Gates:
    """Limits that a metric has to keep, whatever its baseline.

    Attributes:
        minimum: The least that passes.
        maximum: The most that passes.
    """

    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One number (or flag, or label) that the author saw.

    Attributes:
        name: Name, nested keys joined by dots.
        value: Exact value; floats keep every bit, NaN, infinities and the sign of zero included.
        source: Where the run reported it: a file path, `cell:<n>`, `scrapbook:<n>` or `display:<n>`.
        direction: Which way is better, when known.
        tolerance: Allowed difference.
        accept_improvement: Whether a move in the better direction beyond the tolerance still passes.
        gates: Limits for the measured value itself.
        runs: What further runs on the laptop reported, in their order; empty when there were none.
    """

    name: str
    value: MetricValue
    source: str
    direction: Direction | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    accept_improvement: bool = False
    gates: Gates = field(default_factory=Gates)
    runs: tuple[MetricValue, ...] = ()

    @property
    def band(self) -> tuple[float, ...]:
        """The values that the tolerance follows from when that is a band, the baseline first; else none."""
        return tuple(map(float, (self.value, *self.runs))) if self.tolerance.band else ()
