"""When two values of a metric count as the same, by the lock's own policy. Pure."""

from dataclasses import replace

from repro.runner.compare import SAME, WITHIN, compare
from repro.runner.distances import is_number
from repro.runner.documents import ExpectedMetric, MeasuredMetric, Value


def same_behaviour(metric: ExpectedMetric, reference: Value | None, value: Value | None) -> bool:
    """Whether `value` is `reference`, or within the tolerance that the metric has around its baseline.

    Being better doesn't count: an improvement is a move. A value that wasn't reported is like no other.
    """
    if reference is None or value is None:
        return False
    measured = MeasuredMetric(metric.name, value, "")
    return compare([_around(metric, reference)], [measured])[0].status in {SAME, WITHIN}


def _around(metric: ExpectedMetric, reference: Value) -> ExpectedMetric:
    """The metric with another baseline; the band of its runs moves along."""
    if not metric.band or not is_number(reference) or not is_number(metric.value):
        return replace(metric, value=reference, band=())
    distance = float(reference) - float(metric.value)
    return replace(metric, value=reference, band=tuple(one + distance for one in metric.band))
