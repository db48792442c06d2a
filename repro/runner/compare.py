"""Baseline against measured: a pure function that returns data. Explaining and rendering it happens elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

from .distances import is_number, prediction_interval, printed_apart, ulps, whole_samples
from .documents import ExpectedMetric, MeasuredMetric, Value, same_bits

SAME = "same"
WITHIN = "within"
IMPROVED = "improved"
MOVED = "moved"
MISSING = "missing"
TYPE = "type"
EXTRA = "extra"

PASSING = frozenset({SAME, WITHIN, EXTRA})


@dataclass(frozen=True)
class Comparison:
    """One metric's verdict.

    Attributes:
        name: Of the metric.
        baseline: The author's value, None when the run reported one that the lock doesn't know.
        measured: This run's value, None when missing.
        difference: measured - baseline for numbers, else None.
        status: "same" (bit for bit), "within" (its tolerance), "improved" or "moved" (beyond it, in the better
            direction or not), "missing", "type" (another type), "extra" (not in the lock).
        passed: Whether this metric stands in the way of "verified".
        rule: The rule that was applied, for people: `exact`, `±0.001`, `±0.1 %`.
        ulps: How many 64-bit floats lie between the two, the measured one counted; None unless both are finite floats.
        samples: How many samples the value counts or is a share of, where the lock says so.
        flips: How many of them, on balance, came out otherwise; None where the measured value is no share of them.
        low: The least value that lies within the tolerance; None where there is no such.
        high: The largest such value.
    """

    name: str
    baseline: Value | None
    measured: Value | None
    difference: float | None
    status: str
    passed: bool
    rule: str
    ulps: int | None = None
    samples: int | None = None
    flips: int | None = None
    low: float | None = None
    high: float | None = None


def compare(expected: Iterable[ExpectedMetric], measured: Iterable[MeasuredMetric]) -> list[Comparison]:
    """Compare each baseline with what was measured, in order of name; metrics without a baseline come last."""
    found = {metric.name: metric.value for metric in measured}
    baselines = sorted(expected, key=lambda metric: metric.name)
    known = {metric.name for metric in baselines}
    compared = [_compare_one(metric, found.get(metric.name)) for metric in baselines]
    extra = [
        Comparison(name, None, value, None, EXTRA, passed=True, rule="not in the lock")
        for name, value in sorted(found.items())
        if name not in known
    ]
    return compared + extra


def rule_text(metric: ExpectedMetric) -> str:
    """The tolerance in words."""
    return " or ".join(_rules(metric)) or "exact"


def _rules(metric: ExpectedMetric) -> Iterator[str]:
    if metric.absolute is not None:
        yield f"±{metric.absolute:g}"
    if metric.relative is not None:
        yield f"±{metric.relative * 100:g} %"
    if metric.ulp is not None:
        yield f"±{metric.ulp} ulp"
    if metric.digits is not None:
        yield f"±1e{-metric.digits:+d} printed" if metric.digits < 0 else f"±{10.0**-metric.digits:g} printed"
    if metric.samples is not None:
        yield f"{metric.flips} of {metric.samples} samples"
    if metric.band:
        low, high = prediction_interval(metric.band)
        yield f"{low:.6g} to {high:.6g} ({len(metric.band)} runs)"


def _compare_one(metric: ExpectedMetric, measured: Value | None) -> Comparison:
    status = MISSING if measured is None else _status(metric, measured)
    low, high = _bounds(metric)
    return Comparison(
        name=metric.name,
        baseline=metric.value,
        measured=measured,
        difference=_difference(metric.value, measured),
        status=status,
        passed=status in PASSING or (status == IMPROVED and metric.accept_improvement),
        rule=rule_text(metric),
        ulps=None if measured is None else ulps(metric.value, measured),
        samples=metric.samples,
        flips=None if status in (MISSING, TYPE) else _flips(metric, measured),
        low=low,
        high=high,
    )


def _status(metric: ExpectedMetric, measured: Value) -> str:
    baseline = metric.value
    if type(baseline) is not type(measured):
        return TYPE
    if same_bits(baseline, measured):
        return SAME
    difference = _difference(baseline, measured)
    if difference is None:
        return MOVED
    if any(_within(metric, measured, difference)):
        return WITHIN
    return IMPROVED if _better(metric, measured, difference) else MOVED


def _better(metric: ExpectedMetric, measured: Value, difference: float) -> bool:
    """Whether it moved in the better direction; to or from an infinity nothing improves."""
    if math.isinf(_as_float(metric.value)) or math.isinf(_as_float(measured)):
        return False
    return (metric.direction == "higher" and difference > 0) or (metric.direction == "lower" and difference < 0)


def _within(metric: ExpectedMetric, measured: Value, difference: float) -> Iterator[bool]:
    """Whether it is inside each of the tolerances; infinities and NaN differ from everything that isn't the same."""
    size = _size(metric.value)
    if not math.isfinite(difference) or not math.isfinite(size):
        return
    yield metric.absolute is not None and abs(difference) <= metric.absolute
    yield metric.relative is not None and abs(difference) <= metric.relative * size
    apart = ulps(metric.value, measured)
    yield metric.ulp is not None and apart is not None and apart <= metric.ulp
    units = None if metric.digits is None else printed_apart(metric.value, measured, metric.digits)
    yield units is not None and units <= 1
    flips = _flips(metric, measured)
    yield flips is not None and flips <= metric.flips
    if metric.band:
        low, high = prediction_interval(metric.band)
        yield low <= measured <= high  # type: ignore[operator] # numbers: there is a difference


def _flips(metric: ExpectedMetric, measured: Value | None) -> Optional[int]:
    if metric.samples is None or measured is None:
        return None
    before, now = whole_samples(metric.value, metric.samples), whole_samples(measured, metric.samples)
    return None if before is None or now is None else abs(now - before)


def _bounds(metric: ExpectedMetric) -> tuple[Optional[float], Optional[float]]:
    """Where the tolerance ends on both sides, for pictures: rounded, and no part of the judgement."""
    if not is_number(metric.value) or not math.isfinite(value := _as_float(metric.value)):
        return None, None
    reaches = [value - reach for reach in _reaches(metric, value)], [value + reach for reach in _reaches(metric, value)]
    if metric.band:
        low, high = prediction_interval(metric.band)
        reaches = [*reaches[0], low], [*reaches[1], high]
    low, high = min(reaches[0], default=value), max(reaches[1], default=value)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)


def _reaches(metric: ExpectedMetric, value: float) -> Iterator[float]:
    if metric.absolute is not None:
        yield metric.absolute
    if metric.relative is not None:
        yield metric.relative * abs(value)
    if metric.ulp is not None:
        yield metric.ulp * math.ulp(value)
    if metric.digits is not None:
        yield 10.0**-metric.digits
    if metric.samples is not None:
        yield float(metric.flips) if isinstance(metric.value, int) else metric.flips / metric.samples


def _size(baseline: Value) -> float:
    """How large a number is; integers beyond what a float holds count as the largest one."""
    return abs(_as_float(baseline))


def _as_float(value: Value) -> float:
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max  # type: ignore[operator] # an int


def _difference(baseline: Value | None, measured: Value | None) -> float | None:
    if isinstance(baseline, (bool, str)) or isinstance(measured, (bool, str)):
        return None
    if baseline is None or measured is None:
        return None
    try:
        return float(measured - baseline)
    except OverflowError:  # integers beyond what a float holds
        return math.inf if measured > baseline else -math.inf
