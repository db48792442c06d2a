"""Environments are found where their tools keep them, on any operating system, and the broken ones are named."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.capture import interpreters
from repro.capture.environments import EnvironmentCandidate, Rank, candidate_environments, entered, path_pythons
from repro.capture.interpreters import fault, identity, is_python_name, prefix_python
from repro.capture.model import Kernel
from repro.capture.pyenv import pyenv_version

BASE = Path(getattr(sys, "_base_executable", sys.executable))


def environment(prefix: Path, python: str = "bin/python", mark: str | None = "pyvenv.cfg") -> Path:
    """A prefix with a link to a real interpreter and the mark of a tool; returns the interpreter."""
    path = prefix / python
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(BASE)
    if mark:
        (prefix / mark).touch()
    return path


def find(root: Path, start: Path | None = None, **environ: str) -> list[EnvironmentCandidate]:
    return candidate_environments(root, start or root, {"HOME": str(root / "nobody"), "PATH": "", **environ})


def program(folder: Path, name: str, lines: Sequence[str]) -> Path:
    """A command on PATH, written in shell."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The prefix of a virtual environment that repro runs in."""
    environment(tmp_path / "tools" / "repro")
    monkeypatch.setattr(interpreters.sys, "prefix", str(tmp_path / "tools" / "repro"))
    return tmp_path / "tools" / "repro"


@pytest.mark.parametrize("layout", ["bin/python", "bin/python3", "Scripts/python.exe", "python.exe"])
@pytest.mark.parametrize("name", [".venv", "venv", "env", ".conda"])
def test_the_projects_environment_in_every_layout(tmp_path: Path, layout: str, name: str) -> None:
    python = environment(tmp_path / name, layout)
    assert find(tmp_path) == [EnvironmentCandidate(python, f"{name} of the project")]


def test_the_nearest_environment_up_to_the_root_counts(tmp_path: Path) -> None:
    root = tmp_path / "project ü"
    start = root / "team" / "notebooks"
    start.mkdir(parents=True)
    outside = environment(tmp_path / ".venv")
    assert find(root, start) == []
    upper = environment(root / ".venv")
    assert [one.python for one in find(root, start)] == [upper]
    nearer = environment(root / "team" / "venv")
    assert find(root, start) == [EnvironmentCandidate(nearer, "team/venv of the project")]
    assert outside.exists()


def test_the_active_environment_comes_first_and_each_interpreter_once(tmp_path: Path) -> None:
    project = environment(tmp_path / ".venv")
    active = environment(tmp_path / "elsewhere")
    found = find(tmp_path, VIRTUAL_ENV=str(tmp_path / "elsewhere"))
    assert [one.python for one in found] == [active, project]
    (tmp_path / "link").symlink_to(tmp_path / ".venv")
    assert [one.source for one in find(tmp_path, VIRTUAL_ENV=str(tmp_path / "link"))] == [
        "VIRTUAL_ENV, the active environment"
    ]


def test_two_environments_on_one_python_are_two(tmp_path: Path) -> None:
    one, other = environment(tmp_path / "a"), environment(tmp_path / "b")
    assert identity(one) != identity(other)
    plain, versioned = environment(tmp_path / "c", mark=None), environment(tmp_path / "d", "bin/python3", mark=None)
    assert identity(plain) == identity(versioned) == BASE.resolve()


def test_conda_base_gives_way(tmp_path: Path) -> None:
    python = environment(tmp_path / "conda", mark=None)
    (tmp_path / "conda" / "conda-meta").mkdir()
    [named] = find(tmp_path, CONDA_PREFIX=str(tmp_path / "conda"), CONDA_DEFAULT_ENV="ml")
    assert (named.python, named.rank, named.source) == (python, Rank.PROJECT, "CONDA_PREFIX, conda environment ml")
    (tmp_path / "conda" / "condabin").mkdir()
    project = environment(tmp_path / ".venv")
    found = find(tmp_path, CONDA_PREFIX=str(tmp_path / "conda"))
    assert [(one.python, one.rank) for one in found] == [(project, Rank.PROJECT), (python, Rank.CONDA_BASE)]


def test_repros_own_environment_counts_least_unless_it_is_the_projects(own: Path, tmp_path: Path) -> None:
    project = environment(tmp_path / "p" / ".venv")
    found = find(tmp_path / "p", VIRTUAL_ENV=str(own))
    assert [(one.python, one.rank) for one in found] == [(project, Rank.PROJECT), (own / "bin/python", Rank.OWN)]
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / ".venv").symlink_to(own)
    assert [one.rank for one in find(tmp_path / "q", VIRTUAL_ENV=str(own))] == [Rank.PROJECT]


def test_an_environment_is_entered_and_that_of_repro_left(own: Path, tmp_path: Path) -> None:
    """As with repro's own environment active, where `!pip` and IPython's imports would be its."""
    environ = {"VIRTUAL_ENV": str(own), "PATH": os.pathsep.join([str(own / "bin"), "/usr/bin", str(BASE.parent)])}
    python = environment(tmp_path / "p" / ".venv")
    inside = entered(Kernel(None, python, {"MINE": "1"}), environ).env
    path = os.pathsep.join([str(python.parent), "/usr/bin", str(BASE.parent)])
    assert inside == {"PATH": path, "VIRTUAL_ENV": str(tmp_path / "p" / ".venv"), "MINE": "1"}
    given = entered(Kernel(None, python, {"PATH": "/opt/bin", "VIRTUAL_ENV": "/x"}), environ).env
    assert given == {"PATH": "/opt/bin", "VIRTUAL_ENV": "/x"}
    plain = environment(tmp_path / "plain", mark=None)
    assert "VIRTUAL_ENV" not in entered(Kernel(None, plain), {"PATH": "/usr/bin"}).env
    assert entered(Kernel(None, plain), environ).env["VIRTUAL_ENV"] == str(tmp_path / "plain")
    listed = {"PATH": os.pathsep.join(["/usr/bin", str(plain.parent)])}
    assert entered(Kernel(None, plain), listed).env == listed


def test_poetry_and_pipenv_are_asked_outside_of_any_active_environment(own: Path, tmp_path: Path) -> None:
    """An active environment makes both of them name that one; the first python on PATH makes poetry miss its own."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[build-system]\nrequires = ["poetry-core"]\n')
    (project / "Pipfile").touch()
    python = environment(tmp_path / "cache" / "env")
    answer = ['[ -z "$VIRTUAL_ENV$CONDA_PREFIX" ] || exit 9', f'case "$PATH" in *{own}*) exit 9;; esac', "pwd >> asked"]
    for tool in ("poetry", "pipenv"):
        program(own / "bin", tool, [*answer, "echo Courtesy Notice", f"echo '{tmp_path}/cache/env'"])
    path = os.pathsep.join([str(own / "bin"), "/bin"])
    found = find(project, VIRTUAL_ENV=str(own), CONDA_PREFIX=str(own), PATH=path)
    assert found[0] == EnvironmentCandidate(python, "poetry's environment of the project", tool="poetry")
    assert (project / "asked").read_text() == f"{project}\n" * 2


@pytest.mark.parametrize("pyproject", ['[project]\nname = "x"\n', None])
def test_tools_are_not_asked_about_projects_that_are_not_theirs(tmp_path: Path, pyproject: str | None) -> None:
    program(tmp_path / "bin", "poetry", ["touch asked; echo /"])
    program(tmp_path / "bin", "pipenv", ["touch asked; echo /"])
    if pyproject:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    assert find(tmp_path, PATH=f"{tmp_path}/bin:/bin") == []
    assert not (tmp_path / "asked").exists()


def test_a_tool_that_fails_has_no_environment(tmp_path: Path) -> None:
    program(tmp_path / "bin", "poetry", ["echo /usr; exit 1"])
    (tmp_path / "poetry.lock").touch()
    (tmp_path / "Pipfile").touch()
    assert find(tmp_path, PATH=f"{tmp_path}/bin:/bin") == []


def test_uv_may_keep_the_environment_elsewhere(tmp_path: Path) -> None:
    python = environment(tmp_path / "of uv")
    (tmp_path / "uv.lock").touch()
    assert find(tmp_path, UV_PROJECT_ENVIRONMENT="of uv") == [EnvironmentCandidate(python, "UV_PROJECT_ENVIRONMENT")]


def test_broken_environments_say_why(tmp_path: Path) -> None:
    python = environment(tmp_path / ".venv")
    python.unlink()
    python.symlink_to(tmp_path / "versions" / "3.9.1" / "bin" / "python3.9")
    [dangling] = find(tmp_path)
    assert dangling.problem is not None
    assert "3.9.1/bin/python3.9, which no longer exists" in dangling.problem
    gone, _ = find(tmp_path, VIRTUAL_ENV=str(tmp_path / "gone"))
    assert gone.problem == f"its interpreter {tmp_path}/gone/bin/python does not exist"


def test_a_file_that_can_not_be_executed_is_no_interpreter(tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text("")
    assert "not executable" in (fault(path) or "")
    assert fault(BASE) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("3.11.7", "3.11.7"),
        ("3.11", "3.11.10"),
        ("3", "3.12.1"),
        ("# for all\n\n3.11.7  # exactly\n3.12.1\n", "3.11.7"),
        ("my-env", "my-env"),
        ("python-3.11.7", "3.11.7"),
    ],
)
def test_pyenv_is_read_as_pyenv_reads(tmp_path: Path, wanted: str, expected: str) -> None:
    for version in ("3.11.7", "3.11.10", "3.12.1", "3.12.0rc1", "my-env"):
        environment(tmp_path / "pyenv" / "versions" / version, mark="pyvenv.cfg" if version == "my-env" else None)
    start = tmp_path / "a" / "b"
    start.mkdir(parents=True)
    (tmp_path / ".python-version").write_text(wanted)
    [found] = find(tmp_path / "a", start, PYENV_ROOT=str(tmp_path / "pyenv"))
    assert found.python == tmp_path / "pyenv" / "versions" / expected / "bin" / "python"
    assert found.rank == (Rank.PROJECT if expected == "my-env" else Rank.PYENV)
    assert (found.source, found.problem) == (f"pyenv, by {tmp_path / '.python-version'}", None)


@pytest.mark.parametrize("wanted", ["system", ">=3.11", "cpython-3.11.7-linux-x86_64-gnu", "", "other-env"])
def test_what_pyenv_has_no_part_in(tmp_path: Path, wanted: str) -> None:
    (tmp_path / "pyenv" / "versions" / "3.11.7").mkdir(parents=True)
    (tmp_path / ".python-version").write_text(wanted)
    assert find(tmp_path, PYENV_ROOT=str(tmp_path / "pyenv")) == []


def test_a_version_that_pyenv_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.9.1")
    assert find(tmp_path) == [], "without pyenv the file belongs to another tool"
    (tmp_path / "nobody" / ".pyenv" / "versions").mkdir(parents=True)
    [found] = find(tmp_path)
    assert found.problem == "it asks for Python 3.9.1, which pyenv does not have (`pyenv install 3.9.1`)"


def test_pyenv_shell_overrides_the_file(tmp_path: Path) -> None:
    environment(tmp_path / "versions" / "3.12.1", mark=None)
    (tmp_path / ".python-version").write_text("3.9.1")
    found = pyenv_version(tmp_path, {"PYENV_ROOT": str(tmp_path), "PYENV_VERSION": "3.12.1:3.9.1"})
    assert found is not None
    assert (found.name, found.source, found.installed) == ("3.12.1", "PYENV_VERSION", True)
    assert pyenv_version(tmp_path, {"PYENV_ROOT": str(tmp_path), "PYENV_VERSION": "system"}) is None


def test_python_on_path_is_never_repros_own(own: Path, tmp_path: Path) -> None:
    environment(own, "bin/python3")
    first, second = environment(tmp_path / "x", "python3", None), environment(tmp_path / "y", "python", None)
    path = os.pathsep.join([str(own / "bin"), "", str(second.parent), str(first.parent)])
    assert list(path_pythons({"PATH": path})) == [first, second]


def test_pdm_notes_its_interpreter(tmp_path: Path) -> None:
    python = environment(tmp_path / "of pdm")
    (tmp_path / ".pdm-python").write_text(f"{python}\n")
    assert find(tmp_path) == [EnvironmentCandidate(python, ".pdm-python")]


def test_names_of_interpreters() -> None:
    assert all(map(is_python_name, ["python", "python3", "python3.12", "pypy3", "python.exe", "pythonw.exe"]))
    assert not any(map(is_python_name, ["python3-config", "bash", "ipython", "run_python.sh", ""]))


def test_a_preferred_name_wins(tmp_path: Path) -> None:
    environment(tmp_path, "bin/python")
    environment(tmp_path, "bin/python3.11")
    assert prefix_python(tmp_path, "python3.11") == tmp_path / "bin" / "python3.11"
    assert prefix_python(tmp_path, "python3.8") == tmp_path / "bin" / "python"
    assert prefix_python(tmp_path / "none") is None
