"""Measured metrics → the baseline in the lock, under the author's policy."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from repro.capture.config import Config, MetricPolicy
from repro.capture.metric_places import is_tracked
from repro.capture.runs.model import Repeats
from repro.capture.tolerances import DEFAULT, Measures, policy_problems, tolerance_of, wants_band
from repro.errors import CaptureError
from repro.lock import Metric, MetricValue, Tolerance
from repro.plan.evaluation import expected_metric
from repro.runner.documents import MeasuredMetric
from repro.runner.gates import gate_text, gates_of
from repro.runner.metrics_printed import is_printed
from repro.words import few

_WAYS = """\
Declare them in one of these ways, then capture again:
  1. write a file:    json.dump({"auc": auc}, open("metrics.json", "w"))
                      (also metrics.yaml, .yml, .toml; other names: [metrics] files = ["results.yaml"] in repro.toml)
  2. tag a cell:      give the cell that ends in {"auc": auc}, or assigns auc = …, the tag `metrics`
  3. one line:        display({"application/vnd.repro.metrics+json": {"auc": auc}}, raw=True)
     (scrapbook's sb.glue("auc", auc) works as well)
  4. a tracker:       MLflow (mlruns, mlflow.db), DVCLive, TensorBoard (runs, logs, lightning_logs) are looked at as
                      they are, beside the notebook and in the root; elsewhere: [metrics] files = ["path"]
  5. what is printed: [metrics.patterns] auc = "AUC: ([0-9.]+)", or [metrics] reports = true for scikit-learn's"""
_MOST_NAMED = 5
_TINY = 1e-6
"""The default tolerance is more than a thousandth of what is smaller."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_DURATION = re.compile(
    r"(?:^|[^a-z])(?:run_?time|elapsed|duration|latency|seconds|secs|(?:wall|cpu|fit|train|score|epoch)_?time"
    r"|(?:samples|steps|items|tokens|it)_per_sec(?:ond)?)(?:$|[^a-z])"
)


def make_baseline(
    measured: Iterable[MeasuredMetric],
    config: Config,
    subject: str,
    warnings: Iterable[str] = (),
    repeats: Repeats | None = None,
) -> tuple[Metric, ...]:
    """The lock's metrics; `warnings` of the run are told when there is none, because one of them may say why.

    `repeats` is what further runs reported.

    Raises:
        CaptureError: There is none, or repro.toml has a policy for one that the run didn't report, or one that its
            values can't be judged by.
    """
    metrics = tuple(measured)
    if not metrics:
        raise CaptureError(
            "the run reported no metric, so there is nothing to verify", where=subject, problems=warnings, fix=_WAYS
        )
    _check_names(config, metrics)
    known = {metric.name: metric.value for metric in metrics}
    further = {spread.name: spread.values[1:] for spread in repeats.metrics} if repeats else {}
    pairs = [
        (Measures(metric, further.get(metric.name, ())), config.metric_policies.get(metric.name, MetricPolicy()))
        for metric in metrics
    ]
    _check_policies(pairs)
    return tuple(_metric(measures, policy, known) for measures, policy in pairs)


def _check_names(config: Config, metrics: Sequence[MeasuredMetric]) -> None:
    unknown = sorted(set(config.metric_policies) - {metric.name for metric in metrics})
    if unknown:
        raise CaptureError(
            "repro.toml has a policy for metrics that the run did not report",
            where="repro.toml: metrics.policy",
            problems=unknown,
            fix=f"The run reported: {', '.join(sorted(metric.name for metric in metrics))}.",
        )


def _check_policies(pairs: Iterable[tuple[Measures, MetricPolicy]]) -> None:
    problems = [problem for measures, policy in pairs for problem in policy_problems(measures, policy)]
    if problems:
        raise CaptureError(
            "repro.toml has policies that don't fit what the run reported",
            where="repro.toml: metrics.policy",
            problems=problems,
            fix="See docs/how-to/metrics.md for what each policy is for.",
        )


def baseline_warnings(
    metrics: Sequence[Metric], measured: Iterable[MeasuredMetric] = (), config: Config | None = None
) -> Iterator[str]:
    """What an author should know of the values that were just locked, and of the `measured` ones that were not."""
    odd = [m.name for m in metrics if isinstance(m.value, float) and not math.isfinite(m.value)]
    if odd:
        yield f"not a finite number, and that is what every rerun will be held to: {_listed(odd)}"
    timed = [m.name for m in metrics if m.tolerance in (Tolerance(), DEFAULT) and _DURATION.search(m.name.lower())]
    if timed:
        yield (
            f"these look like durations, which no rerun repeats: {_listed(timed)}; "
            "leave them out in repro.toml, [metrics] exclude, or give them a tolerance"
        )
    dated = [m.name for m in metrics if isinstance(m.value, str) and _MOMENT.match(m.value)]
    if dated:
        yield (
            f"if these are the time of the run, no rerun repeats them: {_listed(dated)}; "
            "leave them out in repro.toml, [metrics] exclude"
        )
    printed = [m.name for m in metrics if is_printed(m.source)]
    if printed:
        yield (
            f"compared by the digits that were printed, because that is all there is: {_listed(printed)}; "
            "one unit of the last digit may differ"
        )
    yield from _tolerance_warnings(metrics)
    agreed = [m.name for m in metrics if not m.tolerance.band and config and _wants_band(m, config)]
    if agreed:
        yield f"every run came to the same bits, which makes no band: {_listed(agreed)}; judged as without `band`"
    yield from _left_out(metrics, measured)


def _wants_band(metric: Metric, config: Config) -> bool:
    policy = config.metric_policies.get(metric.name)
    return policy is not None and wants_band(policy)


def _tolerance_warnings(metrics: Sequence[Metric]) -> Iterator[str]:
    """Where a tolerance or a gate does something else than one may think."""
    tiny = [m.name for m in metrics if m.tolerance == DEFAULT and 0 < abs(m.value) < _TINY]  # type: ignore[arg-type]
    if tiny:
        yield (
            f"so small that the default tolerance of ±{DEFAULT.absolute:g} is a good part of them: {_listed(tiny)}; "
            "give them `relative` or `exact` in repro.toml, unless they are rounding errors"
        )
    for metric in metrics:
        for gate in gates_of(expected_metric(metric), metric.value):
            if not gate.passed:
                yield f"{gate_text(gate)}, here already: every verification will fail for it"


def _left_out(metrics: Sequence[Metric], measured: Iterable[MeasuredMetric]) -> Iterator[str]:
    """Places where trackers logged metrics none of which was taken."""
    taken = {metric.source for metric in metrics}
    places = Counter(metric.source for metric in measured if is_tracked(metric) and metric.source not in taken)
    for source, count in sorted(places.items()):
        tracker, _, place = source.partition(":")
        title = {"mlflow": "MLflow", "tensorboard": "TensorBoard"}[tracker]
        yield (
            f"{title} has metrics in {place} ({count}), which were not taken because there are declared ones; "
            f'to hold reruns to these, too, name every place: [metrics] files = [..., "{place}"] in repro.toml'
        )


def _listed(names: Iterable[str]) -> str:
    return few(sorted(names), _MOST_NAMED)


def _metric(measures: Measures, policy: MetricPolicy, known: Mapping[str, MetricValue]) -> Metric:
    return Metric(
        name=measures.metric.name,
        value=measures.value,
        source=measures.metric.source,
        direction=policy.direction,
        tolerance=tolerance_of(measures, policy, known),
        accept_improvement=policy.accept_improvement,
        gates=policy.gates,
        runs=tuple(run for run in measures.runs if run is not None),
    )
