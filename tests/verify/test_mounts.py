"""Files that an image doesn't hold: found, checked, shown to the run, and every way in which they can be wrong."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.engines.model import Shown
from repro.errors import ExitCode
from repro.lock import Lock, LockedFile, render_body
from repro.plan import layout
from repro.progress import Silent
from repro.verify import mounts
from repro.verify.judge import Judgement
from repro.verify.model import Outcome, Verdict
from repro.verify.mounts import Brought, bring_mounted, shown_files
from repro.verify.stage import verify
from tests.verify.samples import NAME, engine_of, sample_lock

DATA = {"data/big/a.csv": b"1,2", "data/big/deep dir/b.csv": b"3,4", "models/m ü.bin": b"weights"}


def file_of(path: str, data: bytes) -> LockedFile:
    return LockedFile(path, "data", Digest.of(data), len(data), mount=True)


def lock_with(data: dict[str, bytes]) -> Lock:
    lock = sample_lock()
    baked = tuple(replace(file, mount=False) for file in lock.files)
    return replace(lock, files=(*baked, *(file_of(path, content) for path, content in data.items())))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in DATA.items():
        target = tmp_path / "project" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return tmp_path / "project"


def judged(folder: Path | None, lock: Lock | None = None) -> Judgement:
    found = bring_mounted(lock or lock_with(DATA), folder, Silent())
    assert isinstance(found, Judgement)
    return found


def parts(folder: Path, *paths: str) -> dict[str, str]:
    shown = shown_files(os.path.realpath(folder), paths or list(DATA))
    return {part: os.path.relpath(here, folder) for part, here in shown.parts.items()}


def test_files_that_are_what_the_lock_says_are_shown(folder):
    found = bring_mounted(lock_with(DATA), folder, Silent())
    assert isinstance(found, Brought)
    assert found.shown is not None
    assert found.shown.at == layout.MOUNTED
    assert bring_mounted(lock_with({}), None, Silent()) == Brought()


def test_folders_that_hold_nothing_else_are_shown_whole(folder):
    assert parts(folder) == {"": "."}
    (folder / "repro.lock").touch()
    assert parts(folder) == {"data": "data", "models": "models"}
    (folder / "data/secret.txt").touch()
    (folder / "models/other.bin").touch()
    assert parts(folder) == {"data/big": "data/big", "models/m ü.bin": "models/m ü.bin"}
    (folder / "data/big/empty").mkdir()
    assert set(parts(folder)) == {"data/big/a.csv", "data/big/deep dir", "models/m ü.bin"}


def test_links_are_shown_as_what_they_lead_to(folder):
    (folder / "store").mkdir()
    (folder / "data/big/a.csv").rename(folder / "store/1")
    (folder / "data/big/a.csv").symlink_to("../../store/1")
    (folder / "models").rename(folder / "store/models")
    (folder / "models").symlink_to("store/models")
    found = parts(folder)
    assert found == {"data/big/a.csv": "store/1", "data/big/deep dir": "data/big/deep dir", "models": "store/models"}


def test_very_many_single_files_are_shown_with_their_folder(folder, monkeypatch):
    monkeypatch.setattr(mounts, "_MOST_PARTS", 1)
    (folder / "repro.lock").touch()
    assert parts(folder) == {"": "."}


def test_places_name_a_folder_before_what_is_in_it():
    shown = Shown(layout.MOUNTED, {"b": Path("/2"), "a": Path("/1"), "a/x": Path("/3"), "": Path("/0")})
    assert [str(place) for place, _ in shown.places()] == [
        "/opt/mounted",
        "/opt/mounted/a",
        "/opt/mounted/a/x",
        "/opt/mounted/b",
    ]


def test_a_missing_file_is_named_and_nothing_is_comparable(folder):
    (folder / "data/big/a.csv").unlink()
    found = judged(folder)
    assert found.outcome is Outcome.NOT_COMPARABLE
    assert str(folder) in found.reason
    assert "--data" in (found.fix or "")
    (finding,) = found.findings
    assert finding.evidence == (f"data/big/a.csv (3 bytes, {Digest.of(b'1,2')}): No such file or directory",)


@pytest.mark.parametrize("content", [b"1,3", b"1,2\n", b""])
def test_a_changed_file_is_named_with_both_digests(folder, content):
    (folder / "data/big/a.csv").write_bytes(content)
    (folder / "models/m ü.bin").unlink()
    found = judged(folder)
    assert found.outcome is Outcome.TAMPERED
    assert "data/big/a.csv" in found.reason
    assert found.findings[0].evidence == (
        f"data/big/a.csv: expected 3 bytes, {Digest.of(b'1,2')}, found {len(content)} bytes, {Digest.of(content)}",
        f"models/m ü.bin (7 bytes, {Digest.of(b'weights')}): No such file or directory",
    )


def test_of_very_many_missing_files_a_few_are_named(folder):
    found = judged(folder, lock_with({f"data/{number:04}.bin": b"x" for number in range(1000)}))
    assert found.reason.startswith("1000 files that are not in the image")
    assert found.findings[0].evidence[-1] == "and 980 more"
    assert len(found.findings[0].evidence) == 21


def test_files_that_only_their_owner_may_read_are_told(folder):
    (folder / "data/big/a.csv").chmod(0o600)
    found = bring_mounted(lock_with(DATA), folder, Silent())
    assert isinstance(found, Brought)
    assert found.private


def verified(lock: Lock, project: Path | None, data: Path | None = None) -> tuple[Verdict, list[Shown | None]]:
    engine = engine_of(lock)
    try:
        verdict = verify(
            NAME,
            lock=(lock, render_body(lock)),
            engine=engine,
            timeout=None,
            memory=None,
            project=project,
            progress=Silent(),
            data=data,
        )
    finally:
        engine.close()
    return verdict, [spec.shown for spec in engine.runs]


def test_a_run_sees_the_files_beside_the_lock(folder, tmp_path):
    verdict, (shown,) = verified(lock_with(DATA), folder)
    assert verdict.outcome is Outcome.VERIFIED
    assert shown is not None
    assert shown.parts[""] == folder.resolve()
    verdict, (shown,) = verified(lock_with(DATA), tmp_path, data=folder)
    assert verdict.outcome is Outcome.VERIFIED


def test_nothing_runs_without_the_files(folder):
    verdict, runs = verified(lock_with(DATA), None)
    assert (verdict.outcome, runs) == (Outcome.NOT_COMPARABLE, [])
    assert verdict.outcome.exit_code == ExitCode.NOT_COMPARABLE
    assert "nobody said where they are" in verdict.reason
    (folder / "models/m ü.bin").write_bytes(b"others'")
    verdict, runs = verified(lock_with(DATA), folder)
    assert (verdict.outcome.exit_code, runs) == (ExitCode.TAMPERED, [])
    assert [finding.kind for finding in verdict.findings][:1] == ["mounted"]
