"""The small picture of a metric's values: nothing outside of it, nothing that isn't so."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.report.plot import WIDTH, plot_of
from repro.runner.compare import Comparison, compare
from repro.runner.documents import ExpectedMetric, MeasuredMetric, Value
from repro.verify.model import MetricRuns


def compared(baseline: Value, measured: Value | None, **tolerance: float) -> Comparison:
    found = [] if measured is None else [MeasuredMetric("auc", measured, "x")]
    return compare([ExpectedMetric("auc", baseline, **tolerance)], found)[0]  # type: ignore[arg-type]


def test_values_lie_in_order_with_the_allowed_range_behind() -> None:
    plot = plot_of(compared(0.75, 0.5, absolute=0.125), None)
    assert plot is not None
    assert plot.band is not None
    left, width = plot.band
    assert plot.here[0] < left < plot.baseline < left + width <= WIDTH
    assert plot.laptop == (plot.baseline,)
    assert (plot.low, plot.high) == ("-0.25", "+0.125")
    assert plot.text == "auc: laptop 0.75, here 0.5, 0 of 1 inside what is allowed (±0.125)"


def test_all_runs_are_there() -> None:
    runs = MetricRuns("auc", (0.75, 0.7), (0.5, None, 0.25), "")
    plot = plot_of(compared(0.75, 0.5), runs)
    assert plot is not None
    assert (len(plot.laptop), len(plot.here), plot.band) == (2, 2, None)
    assert "here 0.25 to 0.5 (2 runs)" in plot.text


@pytest.mark.parametrize(
    "item",
    [
        compared(0.5, 0.5),
        compared(0.5, None),
        compared("a", "b"),
        compared(1, measured=True),
        compared(math.nan, 0.5),
        compared(0.5, math.inf),
        compared(10**400, 1.0),
        compared(1e308, -1e308),
        replace(compared(0.5, 0.6), baseline=None),
    ],
)
def test_where_there_is_nothing_to_see_nothing_is_drawn(item: Comparison) -> None:
    assert plot_of(item, None) is None


@settings(deadline=None, max_examples=200)
@given(st.floats(), st.floats(), st.floats(min_value=0, allow_nan=False), st.lists(st.floats(), max_size=3))
def test_nothing_is_drawn_outside(baseline: float, measured: float, allowed: float, runs: list[float]) -> None:
    plot = plot_of(
        compared(baseline, measured, absolute=allowed), MetricRuns("auc", (baseline,), (measured, *runs), "")
    )
    if plot is not None:
        assert all(0 <= x <= WIDTH for x in (*plot.laptop, *plot.here, plot.baseline))
        assert plot.band is None or 0 <= plot.band[0] <= sum(plot.band) <= WIDTH
