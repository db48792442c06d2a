"""Several runs of one image judged as one: nothing widens itself, and only a band is judged by a test."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from repro.engines.model import RunOutcome, RunSpec
from repro.errors import ExitCode
from repro.lock import Lock, Metric, Tolerance, render_body
from repro.progress import Silent
from repro.runner.documents import Failure, MeasuredMetric, RunRecord
from repro.verify.document import parse_verdict, render_verdict
from repro.verify.model import Outcome, Verdict
from repro.verify.stage import verify
from tests.verify.samples import NAME, MemoryEngine, baked_files, good_record, image_of, sample_lock

BAND = (0.90, 0.91, 0.905, 0.912, 0.899)


@dataclass
class Series(MemoryEngine):
    """Each run leaves the next of these records."""

    records: list[RunRecord] = field(default_factory=list)

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        record = self.records[len(self.runs)]
        printed = "".join(f"{metric.name} {metric.value}\n" for metric in record.metrics)
        self.collects = {"record.json": record.to_json(), "output.log": printed.encode()}
        return super().run(spec, on_output)


def verdict_of(lock: Lock, *records: RunRecord, project: Path | None = None) -> Verdict:
    engine = Series(lock, image_of(lock), baked_files(lock), records=list(records))
    try:
        verdict = verify(
            NAME,
            lock=(lock, render_body(lock)),
            engine=engine,
            timeout=None,
            memory=None,
            project=project,
            progress=Silent(),
            runs=len(records),
        )
        assert len(engine.runs) == len(records)
        assert not [folder for folder in engine.handed_out if folder.exists()]
    finally:
        engine.close()
    assert parse_verdict(render_verdict(verdict)) == verdict
    return verdict


def of(lock: Lock, auc: float | None) -> RunRecord:
    known = {metric.name: metric.value for metric in lock.metrics} | {"auc": auc}
    metrics = tuple(MeasuredMetric(name, value, "metrics.json") for name, value in known.items() if value is not None)
    return good_record(lock, metrics=metrics)


def banded() -> Lock:
    lock = sample_lock()
    auc = Metric("auc", BAND[0], "metrics.json", "higher", Tolerance(band=True), runs=BAND[1:])
    return replace(lock, metrics=(auc, *lock.metrics[1:]))


def test_runs_that_agree_with_the_laptop_are_verified() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.75), of(lock, 0.75))
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.reason == "3 metrics as on the laptop, bit for bit, in each of 2 runs"
    assert verdict.runs is not None
    assert {one.statement for one in verdict.runs.metrics} == {"the same bits in all 2 runs, as on the laptop"}


def test_one_run_beyond_the_tolerance_is_enough_to_fail() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.75), of(lock, 0.5), of(lock, 0.755))
    assert verdict.outcome is Outcome.MISMATCH
    assert verdict.reason == "1 of 3 metrics moved: auc; not the same in every run: auc"
    assert verdict.metrics[0].measured == 0.5
    (flaky,) = (finding for finding in verdict.findings if finding.kind == "flaky")
    assert "first difference: the output, line 1: 'auc 0.75', then 'auc 0.5'" in flaky.evidence
    assert "band = true" in (verdict.fix or "")


def test_runs_that_agree_among_themselves_moved() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.5), of(lock, 0.5))
    assert verdict.reason == "1 of 3 metrics moved: auc, in each of 2 runs"
    assert "flaky" not in {finding.kind for finding in verdict.findings}


def test_what_varies_within_the_tolerance_passes_and_is_told() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.755), of(lock, 0.745))
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.reason.endswith("; not the same in every run: auc")


@pytest.mark.parametrize(
    ("values", "outcome", "status"),
    [
        ((0.903, 0.911, 0.897), Outcome.VERIFIED, "within"),
        ((0.95, 0.903, 0.89), Outcome.VERIFIED, "within"),  # one alone is beyond the band, the sample isn't
        ((0.871, 0.873, 0.869), Outcome.MISMATCH, "moved"),
        ((0.951, 0.953, 0.949), Outcome.MISMATCH, "improved"),
    ],
)
def test_a_band_is_judged_by_the_whole_sample(values: tuple[float, ...], outcome: Outcome, status: str) -> None:
    lock = banded()
    verdict = verdict_of(lock, *(of(lock, value) for value in values))
    assert (verdict.outcome, verdict.metrics[0].status) == (outcome, status)
    assert verdict.runs is not None
    assert "Welch's t-test against 5 runs on the laptop" in verdict.runs.metrics[0].statement


def test_a_metric_that_one_run_lacks_is_missing() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.75), of(lock, None))
    assert verdict.outcome is Outcome.NOT_COMPARABLE
    assert verdict.outcome.exit_code == ExitCode.NOT_COMPARABLE


def test_a_metric_that_no_run_has_is_missing_and_not_flaky() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, None), of(lock, None))
    assert verdict.reason == "auc missing, in each of 2 runs"
    assert verdict.runs is not None
    assert "missing in all 2 runs" in {one.statement for one in verdict.runs.metrics}
    assert "flaky" not in {finding.kind for finding in verdict.findings}


def test_the_cure_is_that_of_the_metrics_that_failed() -> None:
    """`n` moved in every run alike; that `auc` varies inside its band is nothing to mend."""
    lock = banded()
    records = [of(lock, value) for value in (0.903, 0.911)]
    moved = [
        replace(one, metrics=tuple(replace(m, value=5) if m.name == "n" else m for m in one.metrics)) for one in records
    ]
    verdict = verdict_of(lock, *moved)
    assert verdict.reason == "1 of 3 metrics moved: n; not the same in every run: auc"
    assert "band = true" not in (verdict.fix or "")


def test_a_band_is_told_with_the_test_that_judged_it() -> None:
    lock = banded()
    verdict = verdict_of(lock, *(of(lock, value) for value in (0.95, 0.903, 0.89)))
    (band,) = (finding for finding in verdict.findings if finding.kind == "band")
    assert band.message.endswith("judged by Welch's t-test (99 %) between 5 runs on the laptop and 3 here")
    assert "improved" not in {finding.kind for finding in verdict.findings}  # one alone is, the sample isn't


def test_a_later_run_of_something_else_is_tampered() -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.75), good_record(lock, lock_digest="sha256:" + "0" * 64))
    assert verdict.outcome is Outcome.TAMPERED
    assert verdict.reason.startswith("run 2 of 2: ")


def test_a_run_that_fails_where_others_end_well_is_told_as_such() -> None:
    lock = sample_lock()
    crashed = good_record(lock, failure=Failure("cell", "ValueError: x", cell=2))
    verdict = verdict_of(lock, of(lock, 0.75), crashed, of(lock, 0.75), crashed)
    assert verdict.outcome is Outcome.EVALUATION_FAILED
    assert verdict.reason == "run 2 of 4: cell 2: ValueError: x; 2 of 4 runs failed"
    assert "run-2" in (verdict.fix or "")
    assert "the lock doesn't have" not in (verdict.fix or "")


def test_what_every_run_left_is_kept(tmp_path: Path) -> None:
    lock = sample_lock()
    verdict = verdict_of(lock, of(lock, 0.75), of(lock, 0.5), project=tmp_path)
    assert verdict.evidence is not None
    place = Path(verdict.evidence)
    assert (place / "output.log").read_text().startswith("auc 0.75")
    assert (place / "run-2" / "output.log").read_text().startswith("auc 0.5")
    assert json.loads((place / "verdict.json").read_bytes())["runs"]["runs"] == 2


def test_tolerances_count_in_each_run() -> None:
    lock = replace(sample_lock(), metrics=(Metric("auc", 0.75, "metrics.json", tolerance=Tolerance(absolute=0.1)),))
    assert verdict_of(lock, of(lock, 0.7), of(lock, 0.8)).outcome is Outcome.VERIFIED
