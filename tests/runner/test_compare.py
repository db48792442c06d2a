"""Every rule of the comparison, a row each."""

import math

import pytest

from repro.errors import ExitCode
from repro.runner import exitcodes
from repro.runner.compare import Comparison, compare, rule_text
from repro.runner.documents import ExpectedMetric, Failure, MeasuredMetric

NAN, INF = math.nan, math.inf
ULP = math.nextafter(0.9, 1.0)


def one(value, measured, **policy) -> Comparison:
    (result,) = compare([ExpectedMetric("m", value, **policy)], [MeasuredMetric("m", measured, "metrics.json")])
    return result


@pytest.mark.parametrize(
    ("baseline", "measured", "policy", "status", "passed"),
    [
        (0.9, 0.9, {}, "same", True),
        (0.9, ULP, {}, "moved", False),
        (0.0, -0.0, {}, "moved", False),
        (0.0, -0.0, {"absolute": 0.0}, "within", True),
        (NAN, NAN, {}, "same", True),
        (NAN, 0.5, {"absolute": 9.0}, "moved", False),
        (0.5, NAN, {"absolute": 9.0}, "moved", False),
        (0.5, NAN, {"direction": "higher", "accept_improvement": True}, "moved", False),
        (INF, INF, {}, "same", True),
        (INF, -INF, {"relative": 1.0}, "moved", False),
        (INF, 1e308, {"relative": 1.0}, "moved", False),
        (1.0, INF, {"relative": 1.0}, "moved", False),
        (5, 5, {}, "same", True),
        (5, 6, {}, "moved", False),
        (5, 6, {"absolute": 1}, "within", True),
        (5, 5.0, {"absolute": 9.0}, "type", False),
        (1, True, {}, "type", False),
        (True, True, {}, "same", True),
        (True, False, {"absolute": 9.0}, "moved", False),
        ("cat", "cat", {}, "same", True),
        ("cat", "dog", {"absolute": 9.0}, "moved", False),
        ("1.0", 1.0, {}, "type", False),
        (0.9, ULP, {"absolute": 1e-9}, "within", True),
        (0.9, 0.95, {"absolute": 0.01}, "moved", False),
        (100.0, 100.5, {"relative": 0.005}, "within", True),
        (100.0, 100.6, {"relative": 0.005}, "moved", False),
        (-100.0, -100.5, {"relative": 0.005}, "within", True),
        (0.0, 1e-300, {"relative": 0.5}, "moved", False),
        (0.0, 1e-3, {"relative": 0.5, "absolute": 0.01}, "within", True),
        (0.9, 0.95, {"direction": "higher"}, "improved", False),
        (0.9, 0.95, {"direction": "higher", "accept_improvement": True}, "improved", True),
        (0.9, 0.85, {"direction": "higher", "accept_improvement": True}, "moved", False),
        (0.9, 0.85, {"direction": "lower", "accept_improvement": True}, "improved", True),
        (0.9, 0.95, {"direction": "higher", "absolute": 0.1}, "within", True),
        (10**400, 10**400 + 1, {}, "moved", False),
        (10**400, 2 * 10**400, {"absolute": 1.0}, "moved", False),
        (10**400, 10**400 + 1, {"absolute": 1.0}, "within", True),
    ],
)
def test_one_metric(baseline, measured, policy, status, passed):
    result = one(baseline, measured, **policy)
    assert (result.status, result.passed) == (status, passed)


@pytest.mark.parametrize(
    ("baseline", "measured", "difference"),
    [(1.0, 0.75, -0.25), (5, 7, 2.0), (True, False, None), ("a", "b", None), (0, 10**400, INF), (10**400, 0, -INF)],
)
def test_the_difference(baseline, measured, difference):
    assert one(baseline, measured).difference == difference


def test_missing_fails_and_extra_does_not():
    compared = compare(
        [ExpectedMetric("b", 1.0), ExpectedMetric("a", 2.0)],
        [MeasuredMetric("z", 1, "x"), MeasuredMetric("a", 2.0, "x"), MeasuredMetric("c", 1, "x")],
    )
    assert [(item.name, item.status, item.passed) for item in compared] == [
        ("a", "same", True),
        ("b", "missing", False),
        ("c", "extra", True),
        ("z", "extra", True),
    ]
    assert compared[1].measured is None
    assert compared[2].baseline is None


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({}, "exact"),
        ({"absolute": 0.001}, "±0.001"),
        ({"relative": 0.001}, "±0.1 %"),
        ({"absolute": 1e-9, "relative": 1e-6}, "±1e-09 or ±0.0001 %"),
    ],
)
def test_the_rule_in_words(policy, text):
    assert rule_text(ExpectedMetric("m", 1.0, **policy)) == text


def test_exit_codes_are_those_of_every_command():
    ours = {name: value for name, value in vars(exitcodes).items() if name.isupper() and isinstance(value, int)}
    assert ours == {code.name: code.value for code in ExitCode}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("cell", 3), ("died", 3), ("start", 3), ("tampered", 5), ("metrics", 6), ("memory", 7), ("timeout", 8)],
)
def test_the_exit_code_of_a_failure(kind, code):
    assert exitcodes.exit_code(Failure(kind, "x"), []) == code


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([], 6),
        ([(1.0, 1.0)], 0),
        ([(1.0, 2.0)], 1),
        ([(1.0, 1)], 6),
        ([(1.0, None)], 6),
        ([(1.0, 2.0), (1.0, None)], 6),
    ],
)
def test_the_exit_code_of_a_comparison(pairs, code):
    expected = [ExpectedMetric(f"m{index}", baseline) for index, (baseline, _) in enumerate(pairs)]
    measured = [MeasuredMetric(f"m{index}", value, "x") for index, (_, value) in enumerate(pairs) if value is not None]
    assert exitcodes.exit_code(None, compare(expected, measured)) == code


def test_only_extra_metrics_are_nothing_to_compare():
    assert exitcodes.exit_code(None, compare([], [MeasuredMetric("new", 1.0, "x")])) == 6
