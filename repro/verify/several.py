"""Several runs of one image judged as one. Pure.

A metric passes where it passes in every run; one with a band passes where a test between the laptop's runs and these
sees no shift. What fails in any run fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from repro.runner import compare as rules
from repro.runner.compare import Comparison
from repro.runner.documents import ExpectedMetric
from repro.runner.exitcodes import exit_code
from repro.verify.judge import Judgement
from repro.verify.model import Finding, MetricRuns, Outcome, RunsSummary, Verdict
from repro.verify.reasons import reason_and_cure
from repro.verify.repeats import differing, finite, shift

RANDOM = frozenset({"unseeded", "hash-seed", "directory-order", "clock", "network", "threads"})
"""Rules of causes that make two runs of one image differ."""

_COMPARED = frozenset({Outcome.VERIFIED, Outcome.MISMATCH, Outcome.NOT_COMPARABLE})
_FLAKY = (
    "Seed what draws, or make what varies the same (see the causes). Where that can't be, capture with --runs 5 and "
    "band = true for the metric: then the spread of the laptop's runs is its tolerance."
)


def together(expected: Sequence[ExpectedMetric], judgements: Sequence[Judgement], summary: RunsSummary) -> Judgement:
    """One judgement of all runs.

    Args:
        expected: The lock's metrics.
        judgements: Of each run, in order.
        summary: What the runs showed, of as many runs.
    """
    for number, one in enumerate(judgements, 1):
        if one.outcome not in _COMPARED:
            return replace(one, reason=f"run {number} of {len(judgements)}: {one.reason}")
    bands = {metric.name: metric for metric in expected if metric.band}
    series = {one.name: one for one in summary.metrics}
    metrics = tuple(_tested(one, bands.get(one.name), series[one.name]) for one in _worst(judgements))
    gates = tuple(
        next((gate for gate in each if not gate.passed), each[0])
        for each in zip(*(one.gates for one in judgements), strict=True)
    )
    outcome = Outcome.of(exit_code(None, metrics, gates))
    reason, fix = reason_and_cure(outcome, metrics, gates)
    flaky = differing(summary)
    return Judgement(
        outcome,
        f"{reason}; {_told(flaky)}" if flaky else f"{reason}, in each of {len(judgements)} runs",
        _FLAKY if flaky and outcome is Outcome.MISMATCH else fix,
        metrics,
        tuple(dict.fromkeys([*(item for one in judgements for item in one.findings), *_flaky(flaky, summary)])),
        gates,
    )


def with_randomness(verdict: Verdict) -> Verdict:
    """The verdict of several runs with the kinds of randomness among its causes, where its runs differ."""
    if verdict.runs is None or not (differing(verdict.runs) or verdict.runs.cell):
        return verdict
    kinds = tuple(cause.message for cause in verdict.causes if cause.rule in RANDOM)
    return replace(verdict, runs=replace(verdict.runs, causes=kinds))


def _worst(judgements: Sequence[Judgement]) -> Iterator[Comparison]:
    """Each metric as it was in the first run where it didn't pass, else where it wasn't the same, else in the first."""
    by_name: dict[str, list[Comparison]] = {}
    for one in judgements:
        for item in one.metrics:
            by_name.setdefault(item.name, []).append(item)
    for items in by_name.values():
        worse = sorted(items, key=lambda item: (item.passed, item.status in (rules.SAME, rules.EXTRA)))
        yield worse[0]


def _tested(item: Comparison, band: ExpectedMetric | None, series: MetricRuns) -> Comparison:
    """A metric with a band by the test on both samples; any other as it is."""
    here = finite(series.values)
    if band is None or here is None or item.status not in (rules.WITHIN, rules.MOVED, rules.IMPROVED):
        return item
    found = shift(band.band, here)
    if not found.seen:
        return replace(item, status=rules.WITHIN, passed=True)
    better = found.distance > 0 if band.direction == "higher" else found.distance < 0
    improved = band.direction is not None and better
    return replace(
        item, status=rules.IMPROVED if improved else rules.MOVED, passed=improved and band.accept_improvement
    )


def _told(names: Sequence[str]) -> str:
    return f"not the same in every run: {', '.join(names)}"


def _flaky(names: Sequence[str], summary: RunsSummary) -> Iterator[Finding]:
    if names:
        lines = [f"{one.name}: {one.statement}" for one in summary.metrics if one.name in names]
        place = [f"first difference: {summary.cell}"] if summary.cell else []
        yield Finding("flaky", "warning", f"{_told(names)}, of one and the same image", (*lines, *place))
