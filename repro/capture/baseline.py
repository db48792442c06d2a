"""Measured metrics → the baseline in the lock, under the author's policy."""

import math
from collections.abc import Iterable

from repro.capture.config import Config, MetricPolicy
from repro.errors import CaptureError
from repro.lock import Metric
from repro.runner.documents import MeasuredMetric

_WAYS = """\
Declare them in one of these ways, then capture again:
  1. write a file:    json.dump({"auc": auc}, open("metrics.json", "w"))
                      (also metrics.yaml, .yml, .toml; other names: [metrics] files = ["results.yaml"] in repro.toml)
  2. tag a cell:      give the cell that ends in {"auc": auc}, or assigns auc = …, the tag `metrics`
  3. one line:        display({"application/vnd.repro.metrics+json": {"auc": auc}}, raw=True)
     (scrapbook's sb.glue("auc", auc) works as well)"""


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


def baseline_warnings(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """What an author should know of the values that were just locked."""
    odd = sorted(m.name for m in metrics if isinstance(m.value, float) and not math.isfinite(m.value))
    if not odd:
        return ()
    return (f"not a finite number, and that is what every rerun will be held to: {', '.join(odd)}",)


def _metric(measured: MeasuredMetric, policy: MetricPolicy) -> Metric:
    return Metric(
        name=measured.name,
        value=measured.value,
        source=measured.source,
        direction=policy.direction,
        tolerance=policy.tolerance,
        accept_improvement=policy.accept_improvement,
    )
