"""Reports as they are asked for on the command line: while verifying, and later of a run that was kept."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from repro.cli import main
from repro.errors import ExitCode, InfrastructureError
from repro.lock import render_lock
from repro.report.formats import FORMATS
from tests.report.pages import code, notebook, prints
from tests.verify.samples import NAME, engine_of, good_record, sample_lock

LOCK = sample_lock()
EXECUTED = notebook(code("print(auc)", prints("0.75\n")))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lock, whose image an engine in memory has."""
    (tmp_path / "repro.lock").write_bytes(render_lock(LOCK))
    monkeypatch.chdir(tmp_path)
    engine = engine_of(LOCK)
    engine.collects = {"record.json": good_record(LOCK).to_json(), "executed.ipynb": EXECUTED}
    monkeypatch.setattr("repro.cli.verify.find_engine", lambda *_: engine)
    return tmp_path


def all_reports(folder: Path) -> list[str]:
    return [part for name in FORMATS for part in ("--report", f"{name}={folder / f'report.{name}'}")]


def test_a_verification_writes_every_report_and_a_kept_run_gives_the_same_later(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", NAME, *all_reports(project / "now")]) == ExitCode.OK
    said = capsys.readouterr().out
    (run,) = project.glob(".repro/runs/*-verify-*")
    assert main(["report", str(run), *all_reports(project / "later")]) == ExitCode.OK
    assert capsys.readouterr().out == said
    for name in FORMATS:
        assert (project / f"later/report.{name}").read_bytes() == (project / f"now/report.{name}").read_bytes(), name
    page = (project / "now/report.html").read_text(encoding="utf-8")
    assert "0.75" in page[page.index("srcdoc=") :]
    assert str(LOCK.base.digest) in page
    assert (run / "judged.lock").read_bytes() == render_lock(LOCK)


def test_a_mismatch_is_in_every_report(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(LOCK, good_record(LOCK, metrics=good_record(LOCK).metrics[:2]))
    monkeypatch.setattr("repro.cli.verify.find_engine", lambda *_: engine)
    assert main(["verify", NAME, *all_reports(project)]) == ExitCode.NOT_COMPARABLE
    assert "❌ missing" in (project / "report.markdown").read_text(encoding="utf-8")
    root = ET.fromstring((project / "report.junit").read_bytes())
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == ["n"]


def test_with_the_lock_of_the_image_there_are_reports_too(project: Path, tmp_path: Path) -> None:
    assert main(["verify", NAME, "--baked-lock", *all_reports(project)]) == ExitCode.OK
    page = (project / "report.html").read_text(encoding="utf-8")
    assert "0.75" in page[page.index("srcdoc=") :]
    assert str(LOCK.base.digest) in page
    assert "The laptop&#39;s is not at hand" in page or "The laptop's is not at hand" in page
    assert "repro-report-" not in page
    assert json.loads((project / "report.json").read_bytes())["evidence"] is None
    assert not (project / ".repro").exists()


def test_whoever_waits_for_a_report_gets_each_when_the_engine_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repro.cli.verify.find_engine", lambda *_: engine_of(LOCK, raises=InfrastructureError("gone")))
    assert main(["verify", NAME, *all_reports(project)]) == ExitCode.INFRASTRUCTURE
    for name in FORMATS:
        assert b"gone" in (project / f"report.{name}").read_bytes()


def test_a_run_that_is_none_is_a_mistake_of_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(project)]) == ExitCode.USAGE
    assert ".repro/runs" in capsys.readouterr().err


def test_the_verdict_of_a_kept_run_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", NAME, "--json"]) == ExitCode.OK
    document = capsys.readouterr().out
    (run,) = project.glob(".repro/runs/*-verify-*")
    assert main(["report", str(run), "--json"]) == ExitCode.OK
    assert capsys.readouterr().out == document
