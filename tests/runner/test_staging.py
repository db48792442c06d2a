"""Laying out the locked files, each one checked."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from repro.runner import staging
from repro.runner.documents import Evaluation, StagedFile
from repro.runner.exitcodes import exit_code
from repro.runner.staging import stage


def staged(path: str, content: bytes, role: str = "code", executable: bool = False) -> StagedFile:
    return StagedFile(path, role, hashlib.sha256(content).hexdigest(), len(content), executable)


def evaluation(*files: StagedFile) -> Evaluation:
    return Evaluation("notebook", "n.ipynb", "/python", "3.11.7", files=files)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "deep dir").mkdir(parents=True)
    (folder / "n.ipynb").write_bytes(b"notebook")
    (folder / "deep dir" / "dåta.csv").write_bytes(b"1,2")
    (folder / "run.sh").write_bytes(b"#!")
    (folder / "unlocked").write_bytes(b"x")
    return folder


FILES = (
    staged("n.ipynb", b"notebook"),
    staged("deep dir/dåta.csv", b"1,2", "data"),
    staged("run.sh", b"#!", executable=True),
)


def tree(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    return found - {staging.MARKER}


def test_exactly_the_locked_files_are_laid_out(project, tmp_path):
    work = tmp_path / "work"
    assert stage(evaluation(*FILES), project, work) is None
    assert tree(work) == {"n.ipynb", "deep dir/dåta.csv", "run.sh"}
    assert (work / "deep dir" / "dåta.csv").read_bytes() == b"1,2"
    assert [(work / file.path).stat().st_mode & 0o777 for file in FILES] == [0o644, 0o644, 0o755]


def test_folders_that_the_run_writes_into_are_there(project, tmp_path):
    work = tmp_path / "work"
    assert stage(replace(evaluation(*FILES), directories=("models/best", "deep dir")), project, work) is None
    assert (work / "models" / "best").is_dir()


def test_it_starts_from_empty(project, tmp_path):
    work = tmp_path / "work"
    assert stage(evaluation(*FILES), project, work) is None
    (work / "old" / "deeper").mkdir(parents=True)
    (work / "n.ipynb").unlink()
    (work / "n.ipynb").mkdir()
    (work / "metrics.json").write_text("{}")
    (work / "link").symlink_to(project)
    assert stage(evaluation(*FILES), project, work) is None
    assert tree(work) == {"n.ipynb", "deep dir/dåta.csv", "run.sh"}
    assert (project / "unlocked").exists()


def test_a_folder_of_somebody_elses_is_left_alone(project, tmp_path):
    """`docker run -v $PWD:/work` must not erase a project, not even one that has a file of the marker's name."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "thesis.ipynb").write_text("years of work")
    for _ in range(2):
        with pytest.raises(FileExistsError, match="work is not empty and was not made by an earlier run: nothing in"):
            stage(evaluation(*FILES), project, work)
        (work / staging.MARKER).write_text("a namesake")
    assert tree(work) == {"thesis.ipynb"}


def test_what_a_new_file_system_holds_does_not_count(project, tmp_path):
    work = tmp_path / "work"
    (work / "lost+found").mkdir(parents=True)
    assert stage(evaluation(*FILES), project, work) is None
    assert stage(evaluation(*FILES), project, work) is None
    assert (work / "lost+found").is_dir()


def test_every_fault_is_told_at_once(project, tmp_path):
    (project / "n.ipynb").write_bytes(b"notebooK")
    (project / "deep dir" / "dåta.csv").unlink()
    outside = staged("../secret", b"x")
    failure = stage(evaluation(*FILES, outside), project, tmp_path / "work")
    digest = hashlib.sha256(b"notebooK").hexdigest()
    assert failure.kind == "tampered"
    assert failure.message == "3 project files are not what the lock says"
    assert failure.problems == (
        f"n.ipynb: expected sha256 {FILES[0].sha256}, found {digest} (8 bytes instead of 8)",
        f"deep dir/dåta.csv: expected sha256 {FILES[1].sha256}, found no such file",
        "../secret: leads out of the project",
    )
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize(("role", "linked"), [("data", True), ("model", True), ("code", False), ("notebook", False)])
def test_large_data_and_models_are_linked(project, tmp_path, monkeypatch, role, linked):
    monkeypatch.setattr(staging, "LINKED_FROM", 2)
    file = staged("deep dir/dåta.csv", b"1,2", role)
    assert stage(evaluation(file), project, tmp_path / "work") is None
    target = tmp_path / "work" / file.path
    assert target.is_symlink() is linked
    assert target.read_bytes() == b"1,2"


def test_a_linked_file_is_checked_too(project, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "LINKED_FROM", 2)
    file = staged("deep dir/dåta.csv", b"1,3", "data")
    assert stage(evaluation(file), project, tmp_path / "work").kind == "tampered"


def test_files_that_are_not_in_the_image_come_from_where_they_are_mounted(project, tmp_path):
    there = tmp_path / "mounted"
    (there / "data").mkdir(parents=True)
    (there / "data/big.csv").write_bytes(b"5,6")
    files = (*FILES, replace(staged("data/big.csv", b"5,6", "data"), mount=True))
    work = tmp_path / "work"
    assert stage(evaluation(*files), project, work, there) is None
    assert (work / "data/big.csv").read_bytes() == b"5,6"
    (there / "data/big.csv").write_bytes(b"5,7")
    failure = stage(evaluation(*files), project, work, there)
    assert failure is not None
    assert failure.kind == "tampered"
    (problem,) = failure.problems
    assert problem.startswith(f"data/big.csv: expected sha256 {hashlib.sha256(b'5,6').hexdigest()}, found ")


def test_a_large_mounted_file_is_linked_to_and_not_copied(project, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "LINKED_FROM", 2)
    there = tmp_path / "mounted"
    there.mkdir()
    (there / "big.csv").write_bytes(b"5,6")
    files = (replace(staged("big.csv", b"5,6", "data"), mount=True),)
    assert stage(evaluation(*files), project, tmp_path / "work", there) is None
    assert (tmp_path / "work/big.csv").readlink() == there.resolve() / "big.csv"


def test_what_is_not_mounted_is_named_with_how_to_before_anything_is_read(project, tmp_path):
    (project / "n.ipynb").write_bytes(b"changed")
    missing = [replace(staged(f"data/{number}.csv", b"x", "data"), mount=True) for number in range(30)]
    failure = stage(evaluation(*FILES, *missing), project, tmp_path / "work", tmp_path / "mounted")
    assert failure is not None
    assert failure.kind == "unmounted"
    assert f'docker run -v "$PWD:{tmp_path}/mounted:ro" IMAGE' in failure.message
    assert failure.problems[0] == f"data/0.csv: 1 bytes, sha256 {hashlib.sha256(b'x').hexdigest()}"
    assert failure.problems[-1].startswith("and 10 more")
    assert exit_code(failure, ()) == 6
