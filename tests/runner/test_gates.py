"""Gates: limits that count whatever the laptop measured."""

import math

import pytest

from repro.runner.documents import ExpectedMetric, MeasuredMetric
from repro.runner.gates import GateResult, gate_text, judge_gates

GATED = [ExpectedMetric("rmse", 0.5, minimum=0.0, maximum=0.75), ExpectedMetric("auc", 0.9, minimum=0.9)]


@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.9, True), (math.nextafter(0.9, 0), False), (1, True), (math.inf, True), (-math.inf, False)]
    + [(value, False) for value in (math.nan, True, "0.95", None, -(10**400))],
)
def test_a_least_value(value, passed):
    measured = [] if value is None else [MeasuredMetric("auc", value, "x")]
    (gate,) = judge_gates(GATED[1:], measured)
    assert (gate.metric, gate.rule, gate.passed) == ("auc", "≥ 0.9", passed)


def test_gates_come_in_order_of_name_the_least_first():
    gates = judge_gates([*GATED, ExpectedMetric("n", 3)], [MeasuredMetric("rmse", 0.8, "x")])
    assert gates == [
        GateResult("auc", "≥ 0.9", None, passed=False),
        GateResult("rmse", "≥ 0.0", 0.8, passed=True),
        GateResult("rmse", "≤ 0.75", 0.8, passed=False),
    ]


@pytest.mark.parametrize(
    ("rule", "value", "text"),
    [
        ("≥ 0.9", 0.88, "auc 0.88 is under its gate ≥ 0.9"),
        ("≤ 12", 14, "auc 14 is over its gate ≤ 12"),
        ("≥ 0.9", math.nan, "auc is nan, which keeps no gate: ≥ 0.9"),
        ("≥ 0.9", "high", "auc is 'high', which keeps no gate: ≥ 0.9"),
        ("≥ 0.9", None, "auc is missing, and has a gate ≥ 0.9"),
    ],
)
def test_the_words_for_a_gate_that_is_not_kept(rule, value, text):
    assert gate_text(GateResult("auc", rule, value, passed=False)) == text
