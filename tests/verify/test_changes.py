"""What changed in the data stands beside the digests that differ."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from repro.build import check_project
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import Column, Evidence, LockedFile, Profile
from repro.progress import Silent
from repro.store import project_store
from repro.verify.changes import name_changes
from repro.verify.judge import Judgement
from repro.verify.model import Finding, Outcome
from repro.verify.mounts import bring_mounted
from tests.verify.samples import MemoryEngine, engine_of, sample_lock

WAS = b"age,city\n" + b"31,Bern\n" * 99 + b",Bern\n"
NOW = b"age,city\n" + b"31,Bern\n" * 69 + b",Bern\n" * 31
TOLD = ("data/feed.csv: column age: 31 % nulls, was 1 %",)
PROFILE = Profile("data/feed.csv", 100, (Column("age", "integer", 1, 1, (31.0,) * 5), Column("city", "text", 0, 1)))
FEED = LockedFile("data/feed.csv", "data", Digest.of(WAS), len(WAS))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/feed.csv").write_bytes(NOW)
    return tmp_path


@dataclass
class WithProject(MemoryEngine):
    """An engine whose image has one project file."""

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:  # noqa: ARG002 - the only one it has
        return {"data/feed.csv": NOW}


def test_a_build_says_what_changed(project: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_project([FEED], project, project_store(project), profiles=[PROFILE])
    assert caught.value.problems[0].startswith("data/feed.csv: has changed: the lock has ")
    assert caught.value.details == TOLD[0]


def test_a_feed_that_is_mounted_and_differs_is_told_in_words(project: Path) -> None:
    lock = sample_lock(files=(replace(FEED, mount=True),), evidence=Evidence(profiles=(PROFILE,)))
    judgement = bring_mounted(lock, project, Silent())
    assert isinstance(judgement, Judgement)
    assert judgement.outcome is Outcome.TAMPERED
    assert [(finding.kind, finding.severity) for finding in judgement.findings] == [
        ("mounted", "error"),
        ("data", "info"),
    ]
    assert judgement.findings[1].evidence == TOLD


def test_data_that_differs_in_an_image_is_told_in_words() -> None:
    lock = sample_lock(files=(FEED,), evidence=Evidence(profiles=(PROFILE,)))
    engine = engine_of(lock)
    engine = WithProject(engine.lock, engine.image_info, engine.files)
    findings = name_changes((Finding("layers", "error", "other layers"),), engine, engine.image_info, lock)
    assert [finding.kind for finding in findings] == ["layers", "data"]
    assert findings[0].evidence[0].startswith(f"data/feed.csv: expected {FEED.sha256}, found {Digest.of(NOW)}")
    assert findings[1].evidence == TOLD


def test_without_a_profile_nothing_is_told(project: Path) -> None:
    lock = sample_lock(files=(replace(FEED, mount=True),), evidence=Evidence())
    judgement = bring_mounted(lock, project, Silent())
    assert isinstance(judgement, Judgement)
    assert len(judgement.findings) == 1
