"""What each kind of policy comes to in a verdict: tolerances, gates, improvements, and locks of before."""

import pytest

from repro.digest import Digest
from repro.lock import Gates, Metric, Tolerance, parse_lock
from repro.plan.evaluation import make_evaluation
from repro.runner.compare import rule_text
from repro.verify.document import parse_verdict, render_verdict
from repro.verify.model import Outcome
from tests.conftest import ROOT
from tests.verify.samples import sample_lock
from tests.verify.test_verify import judged, kinds, measured

FIXTURES = ROOT / "tests" / "lock" / "fixtures"


def test_several_extra_metrics_are_one_warning() -> None:
    (finding,) = judged(measured(sample_lock(), more=1.0, most=2.0)).findings
    assert finding.message == "2 metrics are not in the lock: nothing to compare them with"
    assert finding.evidence == ("more", "most")


def test_an_improvement_that_nobody_accepts_is_a_mismatch_with_a_warning() -> None:
    verdict = judged(measured(sample_lock(), auc=0.8))
    assert verdict.outcome is Outcome.MISMATCH
    assert kinds(verdict) == {"improved": "warning"}


def test_a_gate_is_judged_beside_the_comparison() -> None:
    metric = Metric("auc", 0.88, "metrics.json", gates=Gates(minimum=0.9, maximum=1.0))
    verdict = judged(measured(sample_lock(metrics=(metric,)), auc=0.88))
    assert verdict.outcome is Outcome.MISMATCH
    assert verdict.reason == "1 metric as on the laptop, bit for bit, but auc 0.88 is under its gate ≥ 0.9"
    assert [item.passed for item in verdict.metrics] == [True]
    assert [(gate.rule, gate.measured, gate.passed) for gate in verdict.gates] == [
        ("≥ 0.9", 0.88, False),
        ("≤ 1.0", 0.88, True),
    ]
    assert "gate in repro.toml" in (verdict.fix or "")


def test_a_moved_metric_under_its_gate_is_told_as_both() -> None:
    metric = Metric("auc", 0.92, "metrics.json", gates=Gates(minimum=0.9))
    verdict = judged(measured(sample_lock(metrics=(metric,)), auc=0.88))
    assert verdict.reason == "1 of 1 metric moved: auc; auc 0.88 is under its gate ≥ 0.9"


def test_each_thing_that_failed_has_its_cure() -> None:
    moved = judged(measured(sample_lock(metrics=(Metric("auc", 0.92, "metrics.json", gates=Gates(0.9)),)), auc=0.88))
    assert "tolerance in repro.toml" in (moved.fix or "")
    assert "change the model or the gate" in (moved.fix or "")
    better = judged(measured(sample_lock(metrics=(Metric("auc", 0.92, "metrics.json", "higher"),)), auc=0.95))
    assert "accept-improvement = true" in (better.fix or "")


def test_a_gate_that_is_not_kept_shows_beside_what_is_not_comparable() -> None:
    metrics = (Metric("auc", 0.92, "metrics.json", gates=Gates(0.9)), Metric("n", 3, "metrics.json", gates=Gates(1)))
    verdict = judged(measured(sample_lock(metrics=metrics), auc=0.88, n=None))
    assert verdict.outcome is Outcome.NOT_COMPARABLE
    assert verdict.reason == "n missing; auc moved; auc 0.88 is under its gate ≥ 0.9"


def test_samples_that_flipped_are_counted() -> None:
    metric = Metric("accuracy", 0.75, "metrics.json", tolerance=Tolerance(samples=8))
    verdict = judged(measured(sample_lock(metrics=(metric,)), accuracy=0.625))
    assert (verdict.outcome, verdict.metrics[0].flips) == (Outcome.MISMATCH, 1)
    assert parse_verdict(render_verdict(verdict)) == verdict


def test_a_band_is_said_wherever_it_judges() -> None:
    metric = Metric("auc", 0.5, "metrics.json", tolerance=Tolerance(band=True), runs=(0.75, 0.25))
    verdict = judged(measured(sample_lock(metrics=(metric,)), auc=0.6))
    assert (verdict.outcome, verdict.metrics[0].status) == (Outcome.VERIFIED, "within")
    (finding,) = verdict.findings
    assert finding.message == (
        "auc is not deterministic: it is judged by the 99 % prediction interval of 3 runs on the laptop"
    )
    assert finding.evidence == ("band: -2.36506 to 3.36506 (3 runs)",)


EVALUATIONS = {
    "1.0": "d6a7213ef3556a76d71d25fa4d2cb2977beee516db4d84f5b919395d023917ba",
    "1.1": "d6a7213ef3556a76d71d25fa4d2cb2977beee516db4d84f5b919395d023917ba",
    "1.2": "39f9266a2ac681926ab7d6d6599454cd4307612e30461474719dc6021ebc6e1c",
}


@pytest.mark.parametrize("version", EVALUATIONS)
def test_a_lock_of_before_gives_the_evaluation_that_it_gave(version: str) -> None:
    """Byte for byte, so that what was built from it is judged as it was: what says nothing is exact."""
    lock = parse_lock((FIXTURES / f"lock-{version}.toml").read_bytes())
    evaluation = make_evaluation(lock, Digest.of(b""))
    assert Digest.of(evaluation.to_json()).hex == EVALUATIONS[version]
    assert {rule_text(metric) for metric in evaluation.metrics} == {"exact", "±1e-09 or ±0.0001 %"}
