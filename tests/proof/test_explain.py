"""From an image to an explanation, with an engine in memory whose runs do what an experiment says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest

from repro.engines.model import RunOutcome, RunSpec
from repro.errors import ExitCode, IntegrityError, UsageError
from repro.lock import Lock, render_body
from repro.progress import Silent
from repro.proof.explain import Case, explain, prove
from repro.proof.explanation import Conclusion, Explanation
from repro.runner.documents import MeasuredMetric, RunRecord
from repro.runner.experiment import Experiment
from repro.verify.model import Outcome
from tests.verify.samples import NAME, MemoryEngine, baked_files, engine_of, good_record, image_of, sample_lock

SETTINGS = {"hash seed": "0", "$TZ": "Europe/Berlin", "time zone": "CET +0100, CEST +0200", "$LC_ALL": "C.UTF-8"}
World = Callable[[Mapping[str, str]], float]


@dataclass
class Living(MemoryEngine):
    """An engine whose runs report `auc` by the variables that the experiment sets."""

    world: World = lambda _: 0.75
    here: dict[str, str] = field(default_factory=lambda: {"$TZ": "UTC", "time zone": "UTC +0000, UTC +0000"})
    change: Callable[[RunRecord], RunRecord] = lambda record: record
    without_record: bool = False

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        asked = Experiment.from_json(spec.args[1]) if spec.args else None
        record = good_record(
            self.lock,
            metrics=tuple(
                MeasuredMetric("auc", self.world(asked.environment if asked else {}), "metrics.json")
                if one.name == "auc"
                else one
                for one in good_record(self.lock).metrics
            ),
            settings={**SETTINGS, **self.here},
            machine={"cpus": "4"},
            experiment=None if asked is None else asdict(asked),
        )
        self.collects = {
            "record.json": (self.change(record) if asked else record).to_json(),
            "executed.ipynb": notebook(len(self.runs)),
        }
        if asked is not None and self.without_record:
            self.collects, self.outcome = {}, replace(self.outcome, exit_code=2)
        return super().run(spec, on_output)


def notebook(number: int) -> bytes:
    """An executed copy whose second cell shows another number in each run."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "execution_count": count, "outputs": outputs}
        for count, (source, outputs) in enumerate([("import random", []), ("draw()", [shown(f"drawn {number}")])], 1)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def shown(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text}


@pytest.fixture
def lock() -> Lock:
    return sample_lock()


def living(lock: Lock, world: World, **changes: object) -> Living:
    engine = Living(lock, image_of(lock), baked_files(lock), world=world)
    for name, value in changes.items():
        setattr(engine, name, value)
    return engine


def captured(lock: Lock, root: Path) -> Path:
    """A project with the evidence of the laptop's run."""
    folder = root / ".repro" / "runs" / "20260101T000000.000000Z-capture"
    folder.mkdir(parents=True)
    (folder / "record.json").write_bytes(good_record(lock, settings=SETTINGS).to_json())
    return root


def case(engine: MemoryEngine, project: Path | None) -> Case:
    return Case(NAME, (engine.lock, render_body(engine.lock)), engine, project)


def proved(engine: MemoryEngine, project: Path | None, metric: str | None = None) -> Explanation:
    return prove(case(engine, project), metric, Silent())


def by_zone(given: Mapping[str, str]) -> float:
    return 0.75 if given.get("TZ") == "Europe/Berlin" else 0.5


def test_the_factor_that_moves_it_is_proved(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    found = proved(engine, captured(lock, tmp_path))
    assert found.conclusion is Conclusion.CAUSAL
    assert found.exit_code == ExitCode.OK
    assert [(trial.factor, trial.result) for trial in found.trials] == [("time-zone", "causal")]
    assert found.runs == len(engine.runs) == 6
    assert "hash-seed" in {one.factor for one in found.left_out}


def test_no_experiment_is_kept_as_a_verification(lock: Lock, tmp_path: Path) -> None:
    proved(living(lock, by_zone), captured(lock, tmp_path))
    kept = [json.loads(path.read_bytes()) for path in tmp_path.glob(".repro/runs/*/record.json")]
    assert [one["experiment"] for one in kept] == [None, None]


def test_experiments_are_as_sealed_as_the_verification(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    proved(engine, captured(lock, tmp_path))
    first, *others = engine.runs
    assert first.args == ()
    assert {replace(spec, args=()) for spec in map(hashable, others)} == {hashable(first)}


def hashable(spec: RunSpec) -> RunSpec:
    return replace(spec, env=())  # type: ignore[arg-type] # only to be put into a set


def test_what_no_factor_moves_is_unexplained(lock: Lock, tmp_path: Path) -> None:
    found = proved(living(lock, lambda _: 0.5), captured(lock, tmp_path))
    assert found.conclusion is Conclusion.UNEXPLAINED
    assert found.exit_code == ExitCode.MISMATCH
    assert found.reason == "unexplained: no factor that was swapped moves auc both ways"


def test_without_evidence_of_a_difference_nothing_is_guessed(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, lambda _: 0.5, here={})
    found = proved(engine, captured(lock, tmp_path))
    assert (found.conclusion, found.trials, len(engine.runs)) == (Conclusion.UNEXPLAINED, (), 2)


def test_runs_that_differ_end_the_search_and_name_the_cell(lock: Lock, tmp_path: Path) -> None:
    values = iter([0.5, 0.6])
    engine = living(lock, lambda _: next(values))
    found = proved(engine, captured(lock, tmp_path))
    assert (found.conclusion, len(engine.runs)) == (Conclusion.NONDETERMINISTIC, 2)
    assert "auc was 0.5, then 0.6" in found.reason
    assert "cell 2 (stdout)" in found.reason


def test_a_metric_that_stayed_has_nothing_to_explain(lock: Lock, tmp_path: Path) -> None:
    assert proved(living(lock, lambda _: 0.75), tmp_path).conclusion is Conclusion.NOTHING_MOVED
    found = proved(living(lock, by_zone), tmp_path, metric="loss")
    assert (found.conclusion, found.reason) == (
        Conclusion.NOTHING_MOVED,
        "loss has not moved: there is nothing to explain",
    )


def test_a_metric_that_the_lock_has_not_is_refused_before_anything_runs(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    with pytest.raises(UsageError, match="the lock has no metric 'f1'"):
        proved(engine, tmp_path, metric="f1")
    assert engine.runs == []


def test_another_image_than_the_locks_is_never_experimented_with(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    engine.files = {**baked_files(lock), "evaluation.json": b"{}"}
    found = proved(engine, tmp_path)
    assert (found.conclusion, engine.runs) == (Conclusion.NOT_COMPARABLE, [])
    assert found.exit_code == ExitCode.TAMPERED


@pytest.mark.parametrize("changes", [{"experiment": None}, {"lock_digest": "sha256:0"}])
def test_a_run_that_is_not_the_experiment_is_no_evidence(
    lock: Lock, tmp_path: Path, changes: dict[str, object]
) -> None:
    engine = living(lock, by_zone, change=lambda record: replace(record, **changes))  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="not the experiment"):
        proved(engine, captured(lock, tmp_path))


def test_a_runner_that_knows_no_experiments_is_named(lock: Lock, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="knows no experiments"):
        proved(living(lock, by_zone, without_record=True), captured(lock, tmp_path))


def test_the_proof_works_by_the_lock_in_the_image(lock: Lock) -> None:
    """Then nothing is known of the laptop but what the lock says."""
    engine = living(lock, by_zone)
    found = prove(Case(NAME, None, engine, None), None, Silent())
    assert found.conclusion is Conclusion.CAUSAL
    assert found.trials[0].laptop == "Europe/Berlin"


def test_the_last_verdict_is_shown_without_a_run(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    first = explain(case(engine, captured(lock, tmp_path)), Silent())
    assert (first.conclusion, len(engine.runs)) == (Conclusion.NOT_TRIED, 1)
    again = explain(case(engine, tmp_path), Silent())
    assert (again.verdict, len(engine.runs)) == (first.verdict, 1)
    assert again.verdict.outcome is Outcome.MISMATCH
    assert again.verdict.causes[0].rule == "time-zone"


def test_a_verdict_on_another_image_or_a_damaged_one_is_passed_over(lock: Lock, tmp_path: Path) -> None:
    engine = living(lock, by_zone)
    first = explain(case(engine, tmp_path), Silent())
    assert first.verdict.evidence is not None
    kept = Path(first.verdict.evidence, "verdict.json")
    kept.write_bytes(kept.read_bytes().replace(engine.image_info.id.encode(), b"sha256:other"))
    explain(case(engine, tmp_path), Silent())
    assert len(engine.runs) == 2


def test_what_was_verified_is_no_reason_to_explain(lock: Lock, tmp_path: Path) -> None:
    assert explain(case(engine_of(lock), tmp_path), Silent()).conclusion is Conclusion.NOTHING_MOVED
