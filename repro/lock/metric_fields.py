"""Tables → metrics (docs/formats/lock.md). Faults gather in the tables."""

import math
from dataclasses import replace

from repro.lock.metric import Gates, Metric, Tolerance
from repro.lock.table import Table

MOST_DIGITS = 300
"""Of a float after its point: further ones are beyond what 64 bits hold."""
LEAST_RUNS = 3
"""That a band can follow from."""
LARGEST_IN_A_BAND = 1e150
"""Of a value: squares are still finite."""


def read_metric(table: Table) -> Metric:
    """What formats before 1.3 know."""
    return Metric(
        name=table.text("name"),
        value=table.scalar("value"),
        source=table.text("source"),
        direction=table.optional_choice("direction", ("higher", "lower")),
        tolerance=Tolerance(table.optional_positive("absolute"), table.optional_positive("relative")),
        accept_improvement=table.flag("accept-improvement", default=False),
    )


def read_metric_1_3(table: Table) -> Metric:
    """With further tolerances, gates, and what further runs reported."""
    metric = read_metric(table)
    tolerance = replace(
        metric.tolerance,
        ulp=table.optional_size("ulp"),
        digits=table.optional_integer("digits"),
        samples=table.optional_size("samples"),
        flips=table.optional_size("flips") or 0,
        band=table.flag("band", default=False),
    )
    gates = Gates(table.optional_number("min"), table.optional_number("max"))
    metric = replace(metric, tolerance=tolerance, gates=gates, runs=table.scalars("runs"))
    _check(table, metric)
    return metric if _can_be_a_band(metric) else replace(metric, tolerance=replace(tolerance, band=False))


def _check(table: Table, metric: Metric) -> None:
    """Record what can't be judged."""
    tolerance, gates = metric.tolerance, metric.gates
    if abs(tolerance.digits or 0) > MOST_DIGITS:
        table.fault("digits", f"must be between -{MOST_DIGITS} and {MOST_DIGITS}")
    if tolerance.samples == 0:
        table.fault("samples", "must be at least 1")
    if tolerance.flips and tolerance.samples is None:
        table.fault("flips", "needs samples")
    for key, limit in (("min", gates.minimum), ("max", gates.maximum)):
        if limit is not None and not math.isfinite(limit):
            table.fault(key, "must be a finite number")
    if not _can_be_a_band(metric):
        table.fault("band", f"needs numbers as value and runs, at least {LEAST_RUNS} in all")


def _can_be_a_band(metric: Metric) -> bool:
    """Whether its values have a prediction interval, or need none."""
    values = (metric.value, *metric.runs)
    return not metric.tolerance.band or (len(values) >= LEAST_RUNS and all(map(is_measure, values)))


def is_measure(value: object) -> bool:
    """Whether a value is a finite number, not a bool, whose square is finite too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_IN_A_BAND
