"""Measured metrics → the baseline in the lock, under the author's policy."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from repro.capture.config import Config, MetricPolicy
from repro.capture.metric_places import is_tracked
from repro.errors import CaptureError
from repro.lock import Metric, Tolerance
from repro.runner.documents import MeasuredMetric
from repro.runner.metrics_printed import is_printed

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
_DURATION = re.compile(
    r"(?:^|[^a-z])(?:run_?time|elapsed|duration|latency|seconds|secs|(?:wall|cpu|fit|train|score|epoch)_?time"
    r"|(?:samples|steps|items|tokens|it)_per_sec(?:ond)?)(?:$|[^a-z])"
)


def make_baseline(
    measured: Iterable[MeasuredMetric], config: Config, subject: str, warnings: Iterable[str] = ()
) -> tuple[Metric, ...]:
    """The lock's metrics; `warnings` of the run are told when there is none, because one of them may say why.

    Raises:
        CaptureError: There is none, or repro.toml has a policy for one that the run didn't report.
    """
    metrics = tuple(measured)
    if not metrics:
        raise CaptureError(
            "the run reported no metric, so there is nothing to verify", where=subject, problems=warnings, fix=_WAYS
        )
    unknown = sorted(set(config.metric_policies) - {metric.name for metric in metrics})
    if unknown:
        raise CaptureError(
            "repro.toml has a policy for metrics that the run did not report",
            where="repro.toml: metrics.policy",
            problems=unknown,
            fix=f"The run reported: {', '.join(sorted(metric.name for metric in metrics))}.",
        )
    return tuple(_metric(metric, config.metric_policies.get(metric.name, MetricPolicy())) for metric in metrics)


def baseline_warnings(metrics: Sequence[Metric], measured: Iterable[MeasuredMetric] = ()) -> Iterator[str]:
    """What an author should know of the values that were just locked, and of the `measured` ones that were not."""
    odd = [m.name for m in metrics if isinstance(m.value, float) and not math.isfinite(m.value)]
    if odd:
        yield f"not a finite number, and that is what every rerun will be held to: {_listed(odd)}"
    timed = [m.name for m in metrics if m.tolerance == Tolerance() and _DURATION.search(m.name.lower())]
    if timed:
        yield (
            f"these look like durations, which no rerun repeats: {_listed(timed)}; "
            "leave them out in repro.toml, [metrics] exclude, or give them a tolerance"
        )
    printed = [m.name for m in metrics if is_printed(m.source)]
    if printed:
        yield f"compared by the digits that were printed, because that is all there is: {_listed(printed)}"
    yield from _left_out(metrics, measured)


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
    known = sorted(names)
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return ", ".join(known[:_MOST_NAMED]) + more


def _metric(measured: MeasuredMetric, policy: MetricPolicy) -> Metric:
    return Metric(
        name=measured.name,
        value=measured.value,
        source=measured.source,
        direction=policy.direction,
        tolerance=policy.tolerance,
        accept_improvement=policy.accept_improvement,
    )
