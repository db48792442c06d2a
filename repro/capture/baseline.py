"""Measured metrics → the baseline in the lock, under the author's policy."""

from collections.abc import Iterable

from repro.capture.config import Config, MetricPolicy
from repro.errors import CaptureError
from repro.lock import Metric
from repro.runner.documents import MeasuredMetric

_WAYS = """\
Declare them in one of these ways, then capture again:
  1. write a file:    json.dump({"auc": auc}, open("metrics.json", "w"))
                      (other names: [metrics] files = ["results.yaml"] in repro.toml)
  2. tag a cell:      give the cell that ends in {"auc": auc}, or assigns auc = …, the tag `metrics`
  3. one line:        display({"application/vnd.repro.metrics+json": {"auc": auc}}, raw=True)
     (scrapbook's sb.glue("auc", auc) works as well)"""


def make_baseline(measured: Iterable[MeasuredMetric], config: Config, subject: str) -> tuple[Metric, ...]:
    """The lock's metrics.

    Raises:
        CaptureError: There is none, or repro.toml has a policy for one that the run didn't report.
    """
    metrics = tuple(measured)
    if not metrics:
        raise CaptureError("the run reported no metric, so there is nothing to verify", where=subject, fix=_WAYS)
    unknown = sorted(set(config.metric_policies) - {metric.name for metric in metrics})
    if unknown:
        raise CaptureError(
            "repro.toml has a policy for metrics that the run did not report",
            where="repro.toml: metrics.policy",
            problems=unknown,
            fix=f"The run reported: {', '.join(sorted(metric.name for metric in metrics))}.",
        )
    return tuple(_metric(metric, config.metric_policies.get(metric.name, MetricPolicy())) for metric in metrics)


def _metric(measured: MeasuredMetric, policy: MetricPolicy) -> Metric:
    return Metric(
        name=measured.name,
        value=measured.value,
        source=measured.source,
        direction=policy.direction,
        tolerance=policy.tolerance,
        accept_improvement=policy.accept_improvement,
    )
