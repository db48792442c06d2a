"""The Python environments that a project may be worked on in. They are looked for, never changed."""

import enum
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from repro.capture.interpreters import absolute, fault, identity, is_environment, is_own, prefix_of, prefix_python
from repro.capture.model import Kernel
from repro.capture.pyenv import pyenv_version
from repro.errors import ReproError
from repro.process import run

Tool = Literal["poetry", "pipenv", "conda", "pixi"]

_FOLDERS = (".venv", "venv", "env", ".conda", "envs/default")
_PIXI = (".pixi", "envs")
_TOOL_TIMEOUT = 60.0
_ACTIVATION = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONHOME")


class Rank(enum.IntEnum):
    """How much an environment says about a project. Ones of the first rank contradict each other, the rest give way."""

    PROJECT = 0
    """Made for the project, or activated for it: a virtual environment."""
    PYENV = 1
    """An installation that `.python-version` names."""
    CONDA_BASE = 2
    """conda's base environment, which most people always have active."""
    OWN = 3
    """The active environment, when it is the one that runs repro."""


@dataclass(frozen=True, slots=True)
class EnvironmentCandidate:
    """An environment that may be the one to capture.

    Attributes:
        python: Absolute path of its interpreter, links not resolved; where it should be when `problem` is set.
        source: How it was found, for people.
        rank: How much its presence says.
        tool: The tool that manages it, when packages are to be installed through that.
        problem: Why it can't be used, or None.
    """

    python: Path
    source: str
    rank: Rank = Rank.PROJECT
    tool: Tool | None = None
    problem: str | None = None

    @property
    def prefix(self) -> Path:
        """Root of the environment."""
        return prefix_of(self.python)


def candidate_environments(root: Path, start: Path, environ: Mapping[str, str]) -> list[EnvironmentCandidate]:
    """Every environment that a subject may be run in, the most telling first, each interpreter once.

    Args:
        root: Project root, absolute.
        start: The subject's directory, in or below the root.
        environ: The user's variables.
    """
    folders = _upwards(start, root)
    found = [
        *_active(environ),
        *_in_project(folders, root, environ),
        *_pixi(folders),
        *_pdm(folders),
        *_poetry(folders, environ),
        *_pipenv(folders, environ),
        *_pyenv(start, environ),
    ]
    unique: dict[Path, EnvironmentCandidate] = {}
    for one in sorted(found, key=lambda candidate: candidate.rank):
        unique.setdefault(one.python if one.problem else identity(one.python), one)
    return list(unique.values())


def path_pythons(environ: Mapping[str, str]) -> Iterator[Path]:
    """`python3`, then `python`, from PATH, those of the environment that runs repro left out. May be pyenv's shims."""
    for name in ("python3", "python"):
        for folder in outside_path(environ):
            found = shutil.which(name, path=folder)
            if found:
                yield absolute(Path(found))


def outside_path(environ: Mapping[str, str]) -> list[str]:
    """The directories on PATH, without those of the environment that runs repro."""
    return [one for one in environ.get("PATH", os.defpath).split(os.pathsep) if one and not is_own(Path(one))]


def entered(kernel: Kernel, environ: Mapping[str, str]) -> Kernel:
    """The kernel with the variables by which its environment is the active one, as it is in the image.

    Otherwise `!pip` and `!python` are those of whatever is active, such as the environment that runs repro, and IPython
    imports from that. What the kernel's own variables say stays.
    """
    prefix, folder = prefix_of(kernel.python), str(kernel.python.parent)
    path = outside_path(environ)
    if is_environment(prefix) or folder not in path:
        path = [folder, *(one for one in path if one != folder)]
    own = {"PATH": os.pathsep.join(path)}
    if environ.get("VIRTUAL_ENV") or (prefix / "pyvenv.cfg").exists():
        own["VIRTUAL_ENV"] = str(prefix)
    return replace(kernel, env={**own, **kernel.env})


def _candidate(prefix: Path, source: str, rank: Rank = Rank.PROJECT, tool: Tool | None = None) -> EnvironmentCandidate:
    python = prefix_python(prefix) or prefix / "bin" / "python"
    return EnvironmentCandidate(absolute(python), source, rank, tool, fault(python))


def _upwards(start: Path, root: Path) -> tuple[Path, ...]:
    """The directories from the subject's up to the project root."""
    folders = (start, *start.parents)
    return folders[: folders.index(root) + 1] if root in folders else (start,)


def _active(environ: Mapping[str, str]) -> Iterator[EnvironmentCandidate]:
    if environ.get("VIRTUAL_ENV"):
        prefix = Path(environ["VIRTUAL_ENV"])
        yield _candidate(prefix, "VIRTUAL_ENV, the active environment", Rank.OWN if is_own(prefix) else Rank.PROJECT)
    if environ.get("CONDA_PREFIX"):
        prefix = Path(environ["CONDA_PREFIX"])
        name = environ.get("CONDA_DEFAULT_ENV") or prefix.name
        # Only the base environment holds conda's own switch directory.
        base = Rank.CONDA_BASE if (prefix / "condabin").is_dir() else Rank.PROJECT
        yield _candidate(
            prefix, f"CONDA_PREFIX, conda environment {name}", Rank.OWN if is_own(prefix) else base, "conda"
        )


def _in_project(folders: tuple[Path, ...], root: Path, environ: Mapping[str, str]) -> Iterator[EnvironmentCandidate]:
    """Environments kept in the project: those in the nearest directory that has any."""
    named = environ.get("UV_PROJECT_ENVIRONMENT")
    if named and (root / "uv.lock").exists():
        yield _candidate(root / named, "UV_PROJECT_ENVIRONMENT")
    for folder in folders:
        prefixes = [folder / name for name in _FOLDERS if prefix_python(folder / name)]
        for prefix in prefixes:
            place = prefix.relative_to(root) if prefix.is_relative_to(root) else prefix
            yield _candidate(prefix, f"{place.as_posix()} of the project")
        if prefixes:
            return


def _pixi(folders: tuple[Path, ...]) -> Iterator[EnvironmentCandidate]:
    """Of the nearest project of pixi's: its default environment, else the only one."""
    for folder in folders:
        prefixes = [one for one in sorted(folder.joinpath(*_PIXI).glob("*")) if prefix_python(one)]
        chosen = [one for one in prefixes if one.name == "default"] or prefixes
        if len(chosen) == 1:
            yield _candidate(chosen[0], f"pixi's environment {chosen[0].name} of the project", tool="pixi")
        if prefixes:
            return


def _pdm(folders: tuple[Path, ...]) -> Iterator[EnvironmentCandidate]:
    for folder in folders:
        note = folder / ".pdm-python"
        if note.is_file():
            python = absolute(folder / note.read_text(encoding="utf-8", errors="surrogateescape").strip())
            yield EnvironmentCandidate(python, ".pdm-python", problem=fault(python))
            return


def _poetry(folders: tuple[Path, ...], environ: Mapping[str, str]) -> Iterator[EnvironmentCandidate]:
    for folder in folders:
        if (folder / "poetry.lock").exists() or _mentions_poetry(folder / "pyproject.toml"):
            yield from _asked(("poetry", "env", "info", "--path", "--no-ansi"), "poetry", folder, environ)
            return


def _mentions_poetry(pyproject: Path) -> bool:
    try:
        text = pyproject.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # Its own table, or its build backend: a project that only has [project] may belong to any tool.
    return "[tool.poetry" in text or "poetry.core" in text or "poetry-core" in text


def _pipenv(folders: tuple[Path, ...], environ: Mapping[str, str]) -> Iterator[EnvironmentCandidate]:
    for folder in folders:
        if (folder / "Pipfile").exists():
            quiet = {**environ, "PIPENV_VERBOSITY": "-1", "PIPENV_IGNORE_VIRTUALENVS": "1"}
            yield from _asked(("pipenv", "--venv"), "pipenv", folder, quiet)
            return


def _asked(
    command: tuple[str, ...], tool: Tool, folder: Path, environ: Mapping[str, str]
) -> Iterator[EnvironmentCandidate]:
    """The environment that a tool names for a project: nothing when it isn't installed or has made none."""
    program = shutil.which(command[0], path=environ.get("PATH", ""))
    if program is None:
        return
    try:
        done = run((program, *command[1:]), cwd=folder, env=_outside(environ), timeout=_TOOL_TIMEOUT, check=False)
    except ReproError:
        return
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        yield _candidate(Path(lines[-1].strip()), f"{tool}'s environment of the project", tool=tool)


def _outside(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables in which no environment is active: both tools name an active one instead of the project's."""
    kept = {name: value for name, value in environ.items() if name not in _ACTIVATION}
    return {**kept, "PATH": os.pathsep.join(outside_path(environ))}


def _pyenv(start: Path, environ: Mapping[str, str]) -> Iterator[EnvironmentCandidate]:
    found = pyenv_version(start, environ)
    if found is None:
        return
    # pyenv-virtualenv keeps environments among the versions.
    own = (found.prefix / "pyvenv.cfg").exists()
    candidate = _candidate(found.prefix, found.source, Rank.PROJECT if own else Rank.PYENV)
    if found.installed:
        yield candidate
    else:
        problem = f"it asks for Python {found.name}, which pyenv does not have (`pyenv install {found.name}`)"
        yield EnvironmentCandidate(candidate.python, found.source, Rank.PYENV, problem=problem)
