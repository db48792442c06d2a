"""`repro diff` and `repro check` as commands: what they mean, print and exit with."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from repro.cli import main
from repro.lock import render_lock
from tests.differ import projects


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose lock is true, without an environment, and the current directory in it."""
    root = tmp_path / "my projekt ü"
    projects.write(root)
    monkeypatch.chdir(root / "data")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return root


def changed(root: Path) -> Path:
    """Another lock beside the project's own."""
    lock = projects.lock({**projects.FILES, "data/x.csv": b"a,b\n"})
    path = root / "other.lock"
    path.write_bytes(render_lock(replace(lock, targets=("linux/amd64",))))
    return path


def run(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str, str]:
    code = main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_lock_and_the_tree_are_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diff", project / "repro.lock")
    assert code == 0
    assert out.splitlines()[-1] == "✓ same: nothing that was compared differs"


def test_a_projects_directory_names_its_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "..")
    assert code == 0
    assert "✓ true" in out


def test_two_locks_differ(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diff", "../repro.lock", changed(project))
    assert code == 1
    assert "data/x.csv  changed  (data)" in out
    assert out.splitlines()[-1] == "! different: 1 change that can move a metric"


def test_a_difference_as_json_and_as_markdown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diff", "../repro.lock", changed(project), "--json")
    document = json.loads(out)
    assert code == 1
    assert (document["schema"], document["same"], document["moves"]) == ("repro.diff/1", False, True)
    code, out, _ = run(capsys, "diff", "../repro.lock", changed(project), "--markdown")
    assert code == 1
    assert "- **`data/x.csv`**: changed, data" in out


@pytest.mark.parametrize(
    "args",
    [
        ("diff", "../repro.lock", "--json", "--markdown"),
        ("check", "--json", "--github"),
        ("diff",),
        ("diff", "none.lock"),
        ("check", "none.lock"),
        ("check", "--config", "none.toml"),
        ("diff", "git:main"),
    ],
)
def test_wrong_usage(project: Path, capsys: pytest.CaptureFixture[str], args: Sequence[str]) -> None:
    assert run(capsys, *args)[0] == 2


def test_a_true_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check")
    assert code == 0
    assert out.splitlines()[-1].startswith("✓ true: the lock says what is here, not checked: requirements, environment")
    assert run(capsys, "check", "../repro.lock", "--github") == (0, "", "")


def test_a_stale_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "conf.yaml").write_text("a: 2\n", encoding="utf-8")
    code, out, _ = run(capsys, "check")
    assert code == 1
    assert "✗ conf.yaml: its content is not what was locked" in out
    assert "→ next: repro capture evaluate.py, if all of this is meant" in out
    code, out, _ = run(capsys, "check", "--json")
    document = json.loads(out)
    assert (code, document["schema"], document["true"]) == (1, "repro.check/1", False)
    code, out, _ = run(capsys, "check", "--github")
    assert code == 1
    assert out.startswith("::error file=conf.yaml,title=repro check%3A files::conf.yaml: its content is not")


def test_warnings_count_when_that_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = projects.lock()
    (project / "repro.lock").write_bytes(
        render_lock(replace(lock, runner=replace(lock.runner, sha256=lock.base.digest)))
    )
    assert run(capsys, "check")[0] == 0
    assert run(capsys, "check", "--strict")[0] == 1


def test_a_damaged_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "repro.lock").write_text("version = 1\n", encoding="utf-8")
    assert run(capsys, "check")[0] == 5
    assert run(capsys, "diff", "../repro.lock")[0] == 5
