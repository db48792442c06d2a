"""Baseline against measured: a pure function that returns data. Explaining and rendering it happens elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

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
    """

    name: str
    baseline: Value | None
    measured: Value | None
    difference: float | None
    status: str
    passed: bool
    rule: str


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
    parts = []
    if metric.absolute is not None:
        parts.append(f"±{metric.absolute:g}")
    if metric.relative is not None:
        parts.append(f"±{metric.relative * 100:g} %")
    return " or ".join(parts) or "exact"


def _compare_one(metric: ExpectedMetric, measured: Value | None) -> Comparison:
    status = MISSING if measured is None else _status(metric, measured)
    passed = status in PASSING or (status == IMPROVED and metric.accept_improvement)
    return Comparison(
        metric.name, metric.value, measured, _difference(metric.value, measured), status, passed, rule_text(metric)
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
    if _within(metric, _size(baseline), difference):
        return WITHIN
    better = (metric.direction == "higher" and difference > 0) or (metric.direction == "lower" and difference < 0)
    return IMPROVED if better else MOVED


def _within(metric: ExpectedMetric, size: float, difference: float) -> bool:
    """Inside either tolerance; infinities and NaN differ from everything that isn't the same."""
    if not math.isfinite(difference) or not math.isfinite(size):
        return False
    limits = [] if metric.absolute is None else [metric.absolute]
    if metric.relative is not None:
        limits.append(metric.relative * size)
    return any(abs(difference) <= limit for limit in limits)


def _size(baseline: Value) -> float:
    """How large a number is; integers beyond what a float holds count as the largest one."""
    try:
        return abs(float(baseline))
    except OverflowError:
        return sys.float_info.max


def _difference(baseline: Value | None, measured: Value | None) -> float | None:
    if isinstance(baseline, (bool, str)) or isinstance(measured, (bool, str)):
        return None
    if baseline is None or measured is None:
        return None
    try:
        return float(measured - baseline)
    except OverflowError:  # integers beyond what a float holds
        return math.inf if measured > baseline else -math.inf
