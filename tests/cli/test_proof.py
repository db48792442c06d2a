"""`repro explain` and `repro bisect` as commands: what they ask, what they print, how they exit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from repro.cli import main
from repro.engines.model import Engine
from repro.errors import ExitCode
from repro.lock import Lock, render_body, render_lock
from repro.proof import question
from repro.proof.bisection import Answer, Bisection
from tests.report.proofs import FOUND
from tests.verify.samples import NAME, MemoryEngine, engine_of, good_record, sample_lock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repro.lock").write_bytes(render_lock(sample_lock()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, engine: MemoryEngine) -> MemoryEngine:
    monkeypatch.setattr("repro.cli.explain.find_engine", lambda *_: engine)
    return engine


def moved(lock: Lock) -> MemoryEngine:
    record = good_record(lock)
    metrics = tuple(replace(one, value=0.25) if one.name == "auc" else one for one in record.metrics)
    return engine_of(lock, replace(record, metrics=metrics))


def test_explain_shows_what_verify_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = use(monkeypatch, moved(sample_lock()))
    assert main(["explain", NAME]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "1 of 3 metrics moved: auc" in out.splitlines()[-1]
    assert f"`repro explain {NAME} --prove`" in out
    assert main(["explain", NAME, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["conclusion"] == "not-tried"
    assert len(engine.runs) == 1


def test_explain_exits_as_verify_where_nothing_can_be_compared(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = use(monkeypatch, moved(sample_lock()))
    engine.files = {"repro.lock": render_body(sample_lock()), "evaluation.json": b"{}"}
    assert main(["explain", NAME, "--prove", "--json"]) == ExitCode.TAMPERED
    assert json.loads(capsys.readouterr().out)["conclusion"] == "not-comparable"


def test_a_metric_is_named_for_the_proof_only(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", NAME, "--metric", "auc"]) == ExitCode.USAGE
    assert "--metric goes with --prove" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "code"), [(Answer.SEVERAL, 0), (Answer.NOT_PACKAGES, 0), (Answer.STOPPED, 1), (Answer.NOT_COMPARABLE, 6)]
)
def test_bisect_asks_and_exits_by_the_answer(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Answer, code: int
) -> None:
    asked: list[question.Request] = []

    def search(request: question.Request, engines: object, *_: object) -> Bisection:
        asked.append(request)
        return replace(FOUND, answer=answer)

    monkeypatch.setattr("repro.cli.bisect.run_bisection", search)
    arguments = ["--metric", "auc", "--max-runs", "6", "--resume", "--jobs", "2", "--memory", "1g", "--json"]
    assert main(["bisect", "repro.lock", "repro.lock", *arguments]) == code
    (request,) = asked
    assert (request.one.root, request.metric, request.max_runs) == (project, "auc", 6)
    assert (request.resume, request.jobs, request.limits.memory) == (True, 2, 1 << 30)
    assert json.loads(capsys.readouterr().out)["answer"] == str(answer)


def test_a_lock_that_is_not_there_is_an_error_of_use(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", "repro.lock", "nowhere.lock"]) == ExitCode.USAGE
    assert "nowhere.lock" in capsys.readouterr().err


def test_locks_whose_metric_is_not_told_are_refused_before_an_engine_is_needed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(_: object) -> Engine:
        raise AssertionError

    monkeypatch.setattr("repro.cli.bisect.find_engine", find)
    assert main(["bisect", "repro.lock", "repro.lock"]) == ExitCode.USAGE
    assert "0 metrics differ between the locks" in capsys.readouterr().err
