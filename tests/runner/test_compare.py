"""Every rule of the comparison, a row each."""

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import ExitCode
from repro.runner import exitcodes
from repro.runner.compare import Comparison, compare, rule_text
from repro.runner.distances import prediction_interval
from repro.runner.documents import ExpectedMetric, Failure, MeasuredMetric
from repro.runner.gates import judge_gates

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
        (0.5, INF, {"direction": "higher", "accept_improvement": True}, "moved", False),
        (INF, 0.5, {"direction": "lower", "accept_improvement": True}, "moved", False),
        (5, 10**400, {"direction": "higher", "accept_improvement": True}, "improved", True),
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
        (0.9, ULP, {"ulp": 1}, "within", True),
        (0.9, math.nextafter(ULP, 1.0), {"ulp": 1}, "moved", False),
        (0.9, math.nextafter(ULP, 1.0), {"ulp": 2}, "within", True),
        (-1e-323, 1e-323, {"ulp": 4}, "within", True),
        (-1e-323, 1e-323, {"ulp": 3}, "moved", False),
        (0.0, -0.0, {"ulp": 0}, "within", True),
        (math.nextafter(INF, 0.0), INF, {"ulp": 9}, "moved", False),
        (NAN, 0.0, {"ulp": 2**63}, "moved", False),
        (5, 6, {"ulp": 9}, "moved", False),
        (0.9, ULP, {"ulp": 1, "absolute": 0.0}, "within", True),
        (0.92, 0.91, {"digits": 2}, "within", True),
        (0.92, 0.93, {"digits": 2}, "within", True),
        (0.92, 0.94, {"digits": 2}, "moved", False),
        (0.9, 0.91, {"digits": 2}, "within", True),
        (0.92, 0.925, {"digits": 2}, "within", True),
        (12000.0, 13000.0, {"digits": -3}, "within", True),
        (12000.0, 14000.0, {"digits": -3}, "moved", False),
        (NAN, 0.92, {"digits": 2}, "moved", False),
        (261 / 285, 261 / 285, {"samples": 285}, "same", True),
        (261 / 285, math.nextafter(261 / 285, 0.0), {"samples": 285}, "within", True),
        (261 / 285, 260 / 285, {"samples": 285}, "moved", False),
        (261 / 285, 260 / 285, {"samples": 285, "flips": 1}, "within", True),
        (261 / 285, 263 / 285, {"samples": 285, "flips": 1}, "moved", False),
        (261 / 285, 263 / 285, {"samples": 285, "flips": 1, "direction": "higher"}, "improved", False),
        (261 / 285, 0.9158, {"samples": 285, "flips": 285}, "moved", False),
        (261 / 285, 1.5, {"samples": 285, "flips": 285}, "moved", False),
        (261 / 285, NAN, {"samples": 285, "flips": 285}, "moved", False),
        (261, 260, {"samples": 285, "flips": 1}, "within", True),
        (261, 286, {"samples": 285, "flips": 285}, "moved", False),
        (261, -1, {"samples": 285, "flips": 285}, "moved", False),
        (2.0, 13.46, {"band": (2.0, 1.0, 3.0)}, "within", True),
        (2.0, 13.47, {"band": (2.0, 1.0, 3.0)}, "moved", False),
        (2.0, -9.47, {"band": (2.0, 1.0, 3.0), "direction": "lower"}, "improved", False),
        (2.0, NAN, {"band": (2.0, 1.0, 3.0)}, "moved", False),
        (2.0, INF, {"band": (2.0, 1.0, 3.0)}, "moved", False),
        (2.0, 2, {"band": (2.0, 1.0, 3.0)}, "type", False),
        (2, 13, {"band": (2.0, 1.0, 3.0)}, "within", True),
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


@pytest.mark.parametrize(
    ("baseline", "measured", "apart"),
    [(0.9, ULP, 1), (ULP, 0.9, 1), (0.9, 0.9, 0), (0.0, -0.0, 0), (-5e-324, 5e-324, 2), (NAN, NAN, None), (5, 6, None)],
)
def test_how_many_floats_lie_between(baseline, measured, apart):
    assert one(baseline, measured).ulps == apart


@pytest.mark.parametrize(
    ("baseline", "measured", "samples", "flips"),
    [
        (261 / 285, 259 / 285, 285, 2),
        (261 / 285, 261 / 285, 285, 0),
        (261, 265, 285, 4),
        (261 / 285, 0.5, 285, None),
        (261 / 285, 261, 285, None),
        (261 / 285, 260 / 285, None, None),
    ],
)
def test_how_many_samples_flipped(baseline, measured, samples, flips):
    result = one(baseline, measured, samples=samples)
    assert (result.samples, result.flips) == (samples, flips)


@pytest.mark.parametrize(
    ("value", "policy", "bounds"),
    [
        (0.5, {}, (0.5, 0.5)),
        (2.0, {"absolute": 0.5, "relative": 0.5}, (1.0, 3.0)),
        (2.0, {"digits": 1}, (1.9, 2.1)),
        (0.5, {"samples": 4, "flips": 1}, (0.25, 0.75)),
        (10, {"samples": 40, "flips": 1}, (9.0, 11.0)),
        (NAN, {"absolute": 1.0}, (None, None)),
        (INF, {"absolute": 1.0}, (None, None)),
        (1e308, {"relative": 1.0}, (None, None)),
        ("cat", {}, (None, None)),
        (True, {}, (None, None)),
    ],
)
def test_where_the_tolerance_ends(value, policy, bounds):
    result = one(value, value, **policy)
    assert (result.low, result.high) == bounds


def test_a_band_ends_where_its_interval_does():
    result = one(2.0, 2.5, band=(2.0, 1.0, 3.0))
    assert (result.low, result.high) == prediction_interval((2.0, 1.0, 3.0))


_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_COUNTS = st.none() | st.integers(1, 2**1000 - 1)
_ANY = st.floats() | st.integers() | st.integers(-(10**400), 10**400) | st.booleans() | st.text(max_size=3)


@given(
    st.builds(
        ExpectedMetric,
        st.just("m"),
        _ANY,
        st.sampled_from([None, "higher", "lower"]),
        st.none() | st.floats(0, sys.float_info.max),
        st.none() | st.floats(0, sys.float_info.max),
        st.booleans(),
        _COUNTS,
        st.none() | st.integers(-300, 300),
        _COUNTS,
        st.integers(0, 2**1000 - 1),
        st.just(()) | st.lists(st.floats(-1e149, 1e149), min_size=3, max_size=5).map(tuple),
        st.none() | _FINITE,
        st.none() | _FINITE,
    ),
    _ANY,
)
@settings(deadline=None, max_examples=300)
def test_every_value_can_be_judged_by_every_rule(expected, value):
    """The same value always passes, and nothing that a lock can say raises or gives what JSON has no number for."""
    for measured, passes in ((value, None), (expected.value, True)):
        (result,) = compare([expected], [MeasuredMetric("m", measured, "x")])
        assert passes is None or (result.passed, result.status) == (True, "same")
        assert all(bound is None or math.isfinite(bound) for bound in (result.low, result.high))
        gates = judge_gates([expected], [MeasuredMetric("m", measured, "x")])
        assert exitcodes.exit_code(None, [result], gates) in {0, 1, 6}


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
        ({"ulp": 4}, "±4 ulp"),
        ({"digits": 2}, "±0.01 printed"),
        ({"digits": -3}, "±1e+3 printed"),
        ({"samples": 285}, "0 of 285 samples"),
        ({"band": (2.0, 1.0, 3.0)}, "-9.46022 to 13.4602 (3 runs)"),
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


def test_a_gate_that_is_not_kept_is_a_mismatch_but_no_excuse():
    measured = [MeasuredMetric("auc", 0.88, "x")]
    kept, broken = ExpectedMetric("auc", 0.88, minimum=0.8), ExpectedMetric("auc", 0.88, minimum=0.9)
    for expected, code in ((kept, 0), (broken, 1)):
        assert exitcodes.exit_code(None, compare([expected], measured), judge_gates([expected], measured)) == code
    both = [broken, ExpectedMetric("gone", 1.0)]
    assert exitcodes.exit_code(None, compare(both, measured), judge_gates(both, measured)) == 6


def test_only_extra_metrics_are_nothing_to_compare():
    assert exitcodes.exit_code(None, compare([], [MeasuredMetric("new", 1.0, "x")])) == 6
