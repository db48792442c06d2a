"""Limits that a metric has to keep whatever the laptop measured, judged apart from the comparison with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .distances import is_number
from .documents import ExpectedMetric, MeasuredMetric, Value


@dataclass(frozen=True)
class GateResult:
    """A limit that a metric has to keep, whatever the laptop measured.

    Attributes:
        metric: Its name.
        rule: `≥ 0.9`, `≤ 12`.
        measured: Here; None when missing.
        passed: Whether it is kept; NaN and what is no number never keep one.
    """

    metric: str
    rule: str
    measured: Value | None
    passed: bool


def judge_gates(expected: Iterable[ExpectedMetric], measured: Iterable[MeasuredMetric]) -> list[GateResult]:
    """Hold every gate against what was measured, in order of name, the least before the most."""
    found = {metric.name: metric.value for metric in measured}
    ordered = sorted(expected, key=lambda metric: metric.name)
    return [gate for metric in ordered for gate in gates_of(metric, found.get(metric.name))]


def gates_of(metric: ExpectedMetric, value: Value | None) -> Iterator[GateResult]:
    """One metric's gates, held against a value."""
    number = is_number(value)
    if metric.minimum is not None:
        passed = number and value >= metric.minimum  # type: ignore[operator] # a number
        yield GateResult(metric.name, f"≥ {metric.minimum!r}", value, passed)
    if metric.maximum is not None:
        passed = number and value <= metric.maximum  # type: ignore[operator] # a number
        yield GateResult(metric.name, f"≤ {metric.maximum!r}", value, passed)


def gate_text(gate: GateResult) -> str:
    """A gate that isn't kept, in words: `auc 0.88 is under its gate ≥ 0.9`."""
    if gate.measured is None:
        return f"{gate.metric} is missing, and has a gate {gate.rule}"
    if not is_number(gate.measured) or gate.measured != gate.measured:  # NaN
        return f"{gate.metric} is {gate.measured!r}, which keeps no gate: {gate.rule}"
    side = "under" if gate.rule.startswith("≥") else "over"
    return f"{gate.metric} {gate.measured!r} is {side} its gate {gate.rule}"
