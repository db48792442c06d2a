"""The tolerance that a metric gets in the lock: the author's, else what its kind and source suggest.

Nothing is widened by what was seen. What is suggested, and why: docs/adr/0013-floats-within-a-millionth.md.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.capture.config import Config, MetricPolicy
from repro.errors import UsageError
from repro.lock import Gates, MetricValue, Tolerance
from repro.lock.metric_fields import LEAST_RUNS, is_measure
from repro.runner.distances import whole_samples
from repro.runner.documents import MeasuredMetric, same_bits

DEFAULT = Tolerance(absolute=1e-9, relative=1e-6)
"""For floats that the author says nothing of: another CPU moved them by up to 4e-9 of their size."""

_ACCURACY = "accuracy"
_SUPPORTS = ("macro avg.support", "weighted avg.support")
_EXACT = Tolerance()


@dataclass(frozen=True, slots=True)
class Measures:
    """One metric as the laptop's runs reported it.

    Attributes:
        metric: In the run that counts.
        runs: In further ones, in their order; None where one didn't report it.
    """

    metric: MeasuredMetric
    runs: Sequence[MetricValue | None] = ()

    @property
    def value(self) -> MetricValue:
        """Of the run that counts."""
        return self.metric.value

    @property
    def agree(self) -> bool:
        """Whether further runs came to the same bits."""
        return all(run is not None and same_bits(self.value, run) for run in self.runs)


def wants_band(policy: MetricPolicy) -> bool:
    """Whether the author asks for a band from several runs."""
    return policy.tolerance is not None and policy.tolerance.band


def check_runs(config: Config, runs: int) -> None:
    """Stop before anything runs where a band is asked for and too few runs are.

    Raises:
        UsageError: So it is.
    """
    bands = sorted(name for name, policy in config.metric_policies.items() if wants_band(policy))
    if bands and runs < LEAST_RUNS:
        asked = f"{runs or 'none'} {'is' if runs == 1 else 'are'} asked for"
        raise UsageError(
            f"a band follows from at least {LEAST_RUNS} runs, and {asked}",
            where="repro.toml: metrics.policy",
            problems=[f"{name}: band = true" for name in bands],
            fix="Capture with `--runs 5`: more runs make a narrower band. Or give a fixed tolerance.",
        )


def tolerance_of(measures: Measures, policy: MetricPolicy, known: Mapping[str, MetricValue]) -> Tolerance:
    """What goes into the lock.

    Args:
        measures: The metric.
        policy: What the author says of it.
        known: The values of all metrics of the run: one may tell how many samples another is a share of.
    """
    value, said = measures.value, policy.tolerance
    if said is not None and not (said.band and measures.agree):
        return said
    if not isinstance(value, float) or not math.isfinite(value):
        return _EXACT
    if measures.metric.digits is not None:
        return Tolerance(digits=measures.metric.digits)
    samples = _certain_samples(measures.metric, known)
    return DEFAULT if samples is None else Tolerance(samples=samples)


def policy_problems(measures: Measures, policy: MetricPolicy) -> Iterator[str]:
    """What the author says of a metric that its values can't be judged by."""
    name, value, said = measures.metric.name, measures.value, policy.tolerance or _EXACT
    if isinstance(value, bool | str):
        if said != _EXACT or policy.gates != Gates() or policy.direction is not None:
            yield f"{name}: {value!r} is no number: it is compared exactly, and has no tolerance, gate or direction"
        return
    if said.ulp is not None and not isinstance(value, float):
        yield f"{name}: ulp is for floats, and {value!r} is an integer: use absolute"
    if said.samples is not None and whole_samples(value, said.samples) is None:
        yield f"{name}: {value!r} is neither a share of {said.samples} samples nor a count of them"
    if said.band:
        yield from _band_problems(name, measures)


def _band_problems(name: str, measures: Measures) -> Iterator[str]:
    values = (measures.value, *measures.runs)
    if len(values) < LEAST_RUNS:
        yield f"{name}: a band follows from at least {LEAST_RUNS} runs, and only {len(values)} ended well"
    elif not all(map(is_measure, values)):
        yield f"{name}: a band follows from finite numbers, and the runs reported {', '.join(map(_shown, values))}"


def _certain_samples(metric: MeasuredMetric, known: Mapping[str, MetricValue]) -> int | None:
    """How many samples an accuracy is over, where it stands in scikit-learn's report as a dict, which says so.

    None unless the value is exactly a share of so many.
    """
    before, dot, last = metric.name.rpartition(".")
    supports = {known.get(f"{before}{dot}{support}") for support in _SUPPORTS} if last == _ACCURACY else {None}
    support = supports.pop()
    if supports or not isinstance(support, int | float) or isinstance(support, bool) or support != support // 1:
        return None
    count = whole_samples(metric.value, int(support)) if support >= 1 else None
    return int(support) if count is not None and count / int(support) == metric.value else None


def _shown(value: MetricValue | None) -> str:
    return "nothing" if value is None else repr(value)
