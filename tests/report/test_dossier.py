"""What is brought together for a report: the right lock, the right run, and nothing that can't be read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, LockedFile, lock_body, render_lock
from repro.report.dossier import gather, read_run
from repro.runner.documents import RunRecord
from repro.verify.document import render_verdict
from repro.verify.model import LockSummary, Verdict
from tests.report.pages import code, notebook, prints
from tests.report.samples import VERDICTS
from tests.verify.samples import good_record, sample_lock

STORED = notebook(code("x", prints("old")))
CAPTURED = notebook(code("x", prints("laptop")))
HERE = notebook(code("x", prints("here")))


def lock_of(stored: bytes) -> Lock:
    lock = sample_lock()
    others = [file for file in lock.files if file.path != lock.subject.path]
    subject = LockedFile(lock.subject.path, "notebook", Digest.of(stored), len(stored))
    return replace(lock, files=tuple(sorted([*others, subject], key=lambda file: file.path)))


def run_at(folder: Path, executed: bytes, record: RunRecord) -> Path:
    folder.mkdir(parents=True)
    (folder / "executed.ipynb").write_bytes(executed)
    (folder / "record.json").write_bytes(record.to_json())
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a captured run and a verified one, whose verdict is kept."""
    root = tmp_path / "project"
    lock = lock_of(STORED)
    path = root / lock.subject.path
    path.parent.mkdir(parents=True)
    path.write_bytes(STORED)
    run_at(root / ".repro/runs/1-capture", CAPTURED, good_record(lock, settings={"optimize": "0"}))
    kept = run_at(root / ".repro/runs/2-verify", HERE, good_record(lock))
    (kept / "log.txt").touch()
    (kept / "judged.lock").write_bytes(render_lock(lock))
    (kept / "verdict.json").write_bytes(render_verdict(verdict_of(lock)))
    return root


def verdict_of(lock: Lock) -> Verdict:
    summary = LockSummary(str(Digest.of(lock_body(render_lock(lock)))), "file", lock.subject.path, baseline_rerun=True)
    return replace(VERDICTS["verified"], lock=summary, evidence="/moved/away")


def test_a_kept_run_has_all_that_the_verification_had(project: Path) -> None:
    kept, lock = project / ".repro/runs/2-verify", lock_of(STORED)
    later = read_run(kept)
    assert later == gather(replace(verdict_of(lock), evidence=str(kept)), later.lock, project)
    assert later.lock is not None
    assert render_lock(later.lock) == render_lock(lock)
    assert later.here is not None
    assert later.laptop is not None
    assert (later.here.data, later.laptop.data) == (HERE, CAPTURED)
    assert later.laptop_record is not None
    assert later.laptop_record.settings == {"optimize": "0"}
    assert read_run(kept / "verdict.json") == later


def test_a_run_that_was_carried_away_has_what_came_along(project: Path, tmp_path: Path) -> None:
    moved = tmp_path / "artifact"
    (project / ".repro/runs/2-verify").rename(moved)
    found = read_run(moved)
    assert found.verdict.evidence == str(moved)
    assert found.lock is not None
    assert found.here is not None
    assert found.laptop is None


def test_a_verdict_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(render_verdict(VERDICTS["explained"]))
    found = read_run(path)
    assert (found.verdict, found.lock, found.here) == (VERDICTS["explained"], None, None)


@pytest.mark.parametrize("path", [".", "nothing"])
def test_what_is_no_run_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="no verdict of a run"):
        read_run(tmp_path / path)


def test_a_verdict_that_nests_too_deeply_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text("[" * 100_000)
    with pytest.raises(IntegrityError, match="damaged"):
        read_run(tmp_path)


def test_another_lock_than_the_one_that_judged_is_refused(project: Path) -> None:
    kept = project / ".repro/runs/2-verify"
    (kept / "judged.lock").write_bytes(render_lock(lock_of(CAPTURED)))
    with pytest.raises(IntegrityError, match="not the lock that the verdict names"):
        read_run(kept)


def test_a_capture_of_other_values_or_other_code_is_not_the_laptops(project: Path) -> None:
    lock, runs = lock_of(STORED), project / ".repro/runs"
    other = good_record(lock)
    run_at(runs / "3-capture", CAPTURED, replace(other, metrics=other.metrics[1:]))
    run_at(runs / "4-capture", notebook(code("y")), other)
    (runs / "5-capture").mkdir()
    assert (found := read_run(runs / "2-verify").laptop) is not None
    assert found.data == CAPTURED


def test_without_a_captured_run_the_locked_notebook_stands_in(project: Path) -> None:
    for file in (project / ".repro/runs/1-capture").iterdir():
        file.unlink()
    found = read_run(project / ".repro/runs/2-verify").laptop
    assert found is not None
    assert (found.data, found.origin) == (STORED, "the locked notebook, as stored")
    (project / lock_of(STORED).subject.path).write_bytes(CAPTURED)
    assert read_run(project / ".repro/runs/2-verify").laptop is None


def test_a_garbled_record_is_as_none(project: Path) -> None:
    kept = project / ".repro/runs/2-verify"
    record = json.loads((kept / "record.json").read_bytes())
    (kept / "record.json").write_text(json.dumps({**record, "cells": [1]}))
    assert read_run(kept).record is None
