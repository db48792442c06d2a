"""What is asked, checked before anything is made or run."""

from dataclasses import replace

import pytest

from repro.errors import UsageError
from repro.lock import Lock, Metric, Tolerance
from repro.proof.behaviour import same_behaviour
from repro.proof.question import choose_metric
from repro.runner.documents import ExpectedMetric, Value
from tests.builders import projects
from tests.lock.samples import package


def lock(**values: Value) -> Lock:
    metrics = tuple(Metric(name, value, "metrics.json", tolerance=Tolerance(1e-3)) for name, value in values.items())
    return replace(projects.make_lock(projects.NO_IMAGE, package("installer")), metrics=metrics)


def test_the_metric_that_is_named_is_asked_for() -> None:
    assert choose_metric(lock(auc=0.9, n=3), lock(auc=0.8, n=3), "n").name == "n"


def test_the_only_one_that_differs_needs_no_name() -> None:
    assert choose_metric(lock(auc=0.9, n=3, loss=0.1), lock(auc=0.8, n=3, loss=0.1001), None).name == "auc"


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("f1", lock(auc=0.9, n=3), "lock A has no metric 'f1'"),
        (None, lock(auc=0.9, n=3), "0 metrics differ between the locks"),
        (None, lock(auc=0.8, n=4), "2 metrics differ between the locks"),
    ],
)
def test_another_or_none_is_refused_with_the_names_there_are(name: str | None, other: Lock, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        choose_metric(lock(auc=0.9, n=3), other, name)
    assert caught.value.fix == "Name one of: auc, n."


@pytest.mark.parametrize(
    ("metric", "reference", "value", "same"),
    [
        (ExpectedMetric("m", 0.5), 0.7, 0.7, True),
        (ExpectedMetric("m", 0.5), 0.7, 0.7000001, False),
        (ExpectedMetric("m", 0.5, absolute=0.01), 0.7, 0.705, True),
        (ExpectedMetric("m", 0.5, direction="higher", accept_improvement=True), 0.7, 0.9, False),
        (ExpectedMetric("m", 0.5, band=(0.49, 0.5, 0.51)), 0.7, 0.71, True),
        (ExpectedMetric("m", 0.5, band=(0.49, 0.5, 0.51)), 0.7, 0.5, False),
        (ExpectedMetric("m", float("nan")), float("nan"), float("nan"), True),
        (ExpectedMetric("m", 3), 3, 3.0, False),
        (ExpectedMetric("m", "a"), "b", "b", True),
        (ExpectedMetric("m", 0.5), 0.7, None, False),
        (ExpectedMetric("m", 0.5), None, 0.7, False),
    ],
)
def test_values_are_compared_by_the_policy_around_any_reference(
    metric: ExpectedMetric,
    reference: Value | None,
    value: Value | None,
    same: bool,
) -> None:
    assert same_behaviour(metric, reference, value) is same
