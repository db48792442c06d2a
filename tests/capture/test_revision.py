"""The project's place in version control, read from real repositories."""

import os
import subprocess
from pathlib import Path

import pytest

from repro.capture.revision import read_revision
from repro.lock import Revision

ENV = {
    **os.environ,
    **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(root: Path, *args: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *args]
    return subprocess.run(command, cwd=root, env=ENV, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, **files: str) -> str:
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    git(place, "init", "-q")
    return place


def test_no_repository_and_no_commit_are_no_revision(tmp_path: Path, root: Path) -> None:
    assert read_revision(tmp_path, ["a.py"]) is None
    assert read_revision(root, ["a.py"]) is None


def test_the_commit_is_the_last_one_that_changed_a_locked_file(root: Path) -> None:
    first = commit(root, a="1")
    commit(root, other="2")
    assert read_revision(root, ["a.py"]) == Revision(first, "main")


def test_changed_and_unknown_files_are_named_and_nothing_is_written(root: Path) -> None:
    first = commit(root, a="1", b="1")
    (root / "a.py").write_text("2")
    (root / "new ü.py").write_text("3")
    before = (root / ".git/index").read_bytes()
    found = read_revision(root, ["a.py", "b.py", "new ü.py"])
    assert found == Revision(first, "main", None, ("a.py", "new ü.py"))
    assert (root / ".git/index").read_bytes() == before


def test_a_project_in_a_part_of_a_repository(root: Path) -> None:
    (root / "part").mkdir()
    (root / "part/x.py").write_text("1")
    first = commit(root, a="1")
    (root / "part/x.py").write_text("2")
    assert read_revision(root / "part", ["x.py"]) == Revision(first, "main", None, ("x.py",))


def test_a_detached_head_has_no_branch_and_the_remote_loses_its_credentials(root: Path) -> None:
    first = commit(root, a="1")
    git(root, "remote", "add", "origin", "https://me:secret@git.example.org/churn.git")
    git(root, "checkout", "-q", "--detach")
    found = read_revision(root, ["a.py"])
    assert found is not None
    assert found.branch is None
    assert found.remote is not None
    assert found.remote.endswith("git.example.org/churn.git")
    assert "secret" not in found.remote
    assert found.commit == first
    git(root, "remote", "set-url", "origin", str(root))
    again = read_revision(root, ["a.py"])
    assert again is not None
    assert again.remote is None


def test_a_submodule_has_its_own_commit_and_its_own_changes(tmp_path: Path, root: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    git(shared, "init", "-q")
    inner = commit(shared, lib="1")
    git(root, "submodule", "--quiet", "add", str(shared), "libs/shared")
    commit(root, a="1")
    found = read_revision(root, ["a.py", "libs/shared/lib.py"])
    assert found is not None
    assert (found.submodules, found.changed) == ({"libs/shared": inner}, ())
    (root / "libs/shared/lib.py").write_text("2")
    dirty = read_revision(root, ["libs/shared/lib.py"])
    assert dirty is not None
    assert dirty.changed == ("libs/shared/lib.py",)
    alone = read_revision(root, ["a.py"])
    assert alone is not None
    assert alone.submodules == {}


def test_without_git_there_is_no_revision(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root, a="1")
    monkeypatch.setenv("PATH", str(root))
    assert read_revision(root, ["a.py"]) is None
