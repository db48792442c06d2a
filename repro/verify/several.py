"""Several runs of one image judged as one. Pure.

A metric passes where it passes in every run; one with a band passes where a test between the laptop's runs and these
sees no shift. What fails in any run fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from repro.runner import compare as rules
from repro.runner.compare import Comparison
from repro.runner.distances import CONFIDENCE
from repro.runner.documents import ExpectedMetric, Value
from repro.runner.exitcodes import exit_code
from repro.verify.judge import Judgement
from repro.verify.model import Finding, MetricRuns, Outcome, RunsSummary, Verdict
from repro.verify.reasons import METRIC_KINDS, by_interval, metric_remarks, reason_and_cure
from repro.verify.repeats import differing, finite, shift

RANDOM = frozenset({"unseeded", "hash-seed", "directory-order", "clock", "network", "threads"})
"""Rules of causes that make two runs of one image differ."""

_COMPARED = frozenset({Outcome.VERIFIED, Outcome.MISMATCH, Outcome.NOT_COMPARABLE})
_FLAKY = (
    "Seed what draws, or make what varies the same (see the causes). Where that can't be, capture with --runs 5 and "
    "band = true for the metric: then the spread of the laptop's runs is its tolerance."
)
_VARIES = (
    "It ends well in other runs of the same image: look for what varies (see the causes). What it printed here is in "
    "run-{} of the evidence."
)


def together(expected: Sequence[ExpectedMetric], judgements: Sequence[Judgement], summary: RunsSummary) -> Judgement:
    """One judgement of all runs.

    Args:
        expected: The lock's metrics.
        judgements: Of each run, in order.
        summary: What the runs showed, of as many runs.
    """
    ended = [(number, one) for number, one in enumerate(judgements, 1) if one.outcome not in _COMPARED]
    if ended:
        return _ended(*ended[0], failed=len(ended), runs=len(judgements))
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
    random = any(not item.passed and item.name in flaky and item.name not in bands for item in metrics)
    told = (item for one in judgements for item in one.findings if item.kind not in METRIC_KINDS)
    judges = {name: _judge(metric, series[name].values) for name, metric in bands.items()}
    return Judgement(
        outcome,
        f"{reason}; {_told(flaky)}" if flaky else f"{reason}, in each of {len(judgements)} runs",
        _FLAKY if random and outcome is Outcome.MISMATCH else fix,
        metrics,
        tuple(dict.fromkeys([*told, *metric_remarks(metrics, judges), *_flaky(flaky, summary)])),
        gates,
    )


def _ended(number: int, one: Judgement, *, failed: int, runs: int) -> Judgement:
    """What the first run that came to no comparison says of all."""
    others = f"; {failed} of {runs} runs failed" if failed > 1 else ""
    varies = one.outcome is Outcome.EVALUATION_FAILED and failed < runs
    return replace(
        one, reason=f"run {number} of {runs}: {one.reason}{others}", fix=_VARIES.format(number) if varies else one.fix
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


def _judge(metric: ExpectedMetric, here: Sequence[Value | None]) -> str:
    """What decides of a metric with a band, in words."""
    if finite(here) is None:
        return by_interval(len(metric.band))
    return f"Welch's t-test ({CONFIDENCE * 100:g} %) between {len(metric.band)} runs on the laptop and {len(here)} here"


def _told(names: Sequence[str]) -> str:
    return f"not the same in every run: {', '.join(names)}"


def _flaky(names: Sequence[str], summary: RunsSummary) -> Iterator[Finding]:
    if names:
        place = (f"first difference: {summary.cell}",) if summary.cell else ()
        yield Finding("flaky", "warning", f"{_told(names)}, of one and the same image", place)
