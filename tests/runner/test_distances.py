"""Distances between values, and the interval that reruns give."""

import math
import random
import statistics
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.runner.distances import prediction_interval, printed_apart, student_t, ulps, whole_samples

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("freedom", "confidence", "t"),
    [  # the usual printed tables
        (1, 0.99, 63.657),
        (2, 0.99, 9.925),
        (3, 0.99, 5.841),
        (4, 0.99, 4.604),
        (9, 0.99, 3.250),
        (10, 0.99, 3.169),
        (29, 0.99, 2.756),
        (120, 0.99, 2.617),
        (1, 0.95, 12.706),
        (7, 0.95, 2.365),
        (60, 0.95, 2.000),
    ],
)
def test_students_t_is_that_of_the_tables(freedom, confidence, t):
    assert student_t(freedom, confidence) == pytest.approx(t, abs=6e-4)


def test_students_t_comes_to_the_normal_distribution():
    assert student_t(100_000, 0.99) == pytest.approx(statistics.NormalDist().inv_cdf(0.995), rel=1e-4)


def test_the_interval_of_a_worked_example():
    """Five values: mean 51.4, s 1.24 (to two digits), t 4.604."""
    values = [51.4, 49.5, 48.7, 49.3, 51.6]
    low, high = prediction_interval(values)
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    assert (low + high) / 2 == pytest.approx(mean)
    assert (high - low) / 2 == pytest.approx(4.604094871 * deviation * math.sqrt(6 / 5), rel=1e-9)


def test_a_spread_takes_two():
    with pytest.raises(ValueError, match="at least two"):
        prediction_interval([1.0])


def test_values_that_agree_have_no_width():
    assert prediction_interval([0.1] * 5) == (0.1, 0.1)


def test_of_a_hundred_honest_reruns_one_falls_outside():
    draw = random.Random(1).gauss
    outside = 0
    for _ in range(4000):
        low, high = prediction_interval([draw(0.9, 0.01) for _ in range(5)])
        outside += not low <= draw(0.9, 0.01) <= high
    assert outside / 4000 == pytest.approx(0.01, abs=0.004)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_the_order_of_runs_does_not_matter(values, shuffler):
    other = shuffler.sample(values, len(values))
    assert prediction_interval(other) == prediction_interval(values)


@given(FINITE)
def test_a_neighbour_is_one_unit_away(value):
    up = math.nextafter(value, math.inf)
    if math.isfinite(up):
        assert ulps(value, up) == ulps(up, value) == 1


@given(FINITE, FINITE, FINITE)
def test_distances_in_units_add_up(one, two, three):
    low, middle, high = sorted([one, two, three])
    assert ulps(low, high) == ulps(low, middle) + ulps(middle, high)


@given(st.integers(-(10**6), 10**6), st.integers(-5, 5), st.integers(0, 6))
def test_units_of_printed_digits_are_counted_exactly(value, units, digits):
    left, right = float(f"{value}e-{digits}"), float(f"{value + units}e-{digits}")
    assert printed_apart(left, right, digits) == abs(units)


@given(st.integers(1, 10**7), st.data())
def test_a_share_is_that_of_a_count(samples, data):
    count = data.draw(st.integers(0, samples))
    assert whole_samples(count / samples, samples) == count
    assert whole_samples(count, samples) == count


@given(st.integers(1, 10**6), st.data())
def test_a_share_of_32_bits_is_that_of_a_count_as_well(samples, data):
    count = data.draw(st.integers(0, samples))
    (narrow,) = struct.unpack("<f", struct.pack("<f", count / samples))
    assert whole_samples(narrow, samples) == count


@pytest.mark.parametrize("value", [0.5 / 285, 0.92, 0.9158, -0.5, 1.5, math.nan, math.inf, True, "1", -1, 286])
def test_what_is_no_share_of_the_samples(value):
    assert whole_samples(value, 285) is None
