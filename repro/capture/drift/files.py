"""Which files of a project declare packages, and what reads each. One that can't be read is told, and no more."""

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from repro.capture.drift.conda import read_environment
from repro.capture.drift.conda_locks import is_explicit, read_conda_lock, read_explicit, read_pixi_lock
from repro.capture.drift.locks import read_pdm_lock, read_poetry_lock, read_pylock, read_uv_lock
from repro.capture.drift.model import Declared, Drift, File, Reader, Variables
from repro.capture.drift.pipenv import read_pipfile, read_pipfile_lock
from repro.capture.drift.pyproject import read_pyproject
from repro.capture.drift.requirements import read_requirements

_FAULTS = (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError, yaml.YAMLError)


@dataclass(frozen=True, slots=True)
class _Form:
    """One kind of file.

    Attributes:
        glob: Its places, relative to the project root.
        read: Reads it.
        cure: What makes an environment agree with it; `{place}` is the file.
        holds: Whether a file in such a place is one of these.
    """

    glob: str
    read: Reader
    cure: str
    holds: Callable[[Path], bool] = Path.is_file


_EXPLICIT = "run `conda install --file {place}`, or write it again if the installed one is right"


_FORMS = (
    # First, since people call these requirements.txt too.
    _Form("*.txt", read_explicit, _EXPLICIT, is_explicit),
    _Form("*.lock", read_explicit, _EXPLICIT, is_explicit),
    _Form("pyproject.toml", read_pyproject, "install the project again, or correct it there"),
    _Form("uv.lock", read_uv_lock, "run `uv sync`, or `uv lock` if the installed one is right"),
    _Form("poetry.lock", read_poetry_lock, "run `poetry sync`, or `poetry update` if the installed one is right"),
    _Form("pdm.lock", read_pdm_lock, "run `pdm sync`, or `pdm update` if the installed one is right"),
    _Form("pylock.toml", read_pylock, "run `uv pip sync {place}`, or lock again if the installed one is right"),
    _Form("pylock.*.toml", read_pylock, "run `uv pip sync {place}`, or lock again if the installed one is right"),
    _Form("Pipfile", read_pipfile, "run `pipenv install`, or correct it there"),
    _Form("Pipfile.lock", read_pipfile_lock, "run `pipenv sync`, or `pipenv lock` if the installed one is right"),
    _Form("*requirements*.txt", read_requirements, "run `pip install -r {place}`, or correct it there"),
    _Form("requirements/*.txt", read_requirements, "run `pip install -r {place}`, or correct it there"),
    _Form("*requirements*.in", read_requirements, "install what it says, or correct it there"),
    _Form("requirements/*.in", read_requirements, "install what it says, or correct it there"),
    _Form(
        "*conda-lock.y*ml",
        read_conda_lock,
        "run `conda-lock install {place}`, or `conda-lock lock` if the installed one is right",
    ),
    _Form("pixi.lock", read_pixi_lock, "run `pixi install`, or `pixi update` if the installed one is right"),
    _Form("environment*.y*ml", read_environment, "run `conda env update -f {place}`, or correct it there"),
)


@dataclass(frozen=True, slots=True)
class Declarations:
    """What all files of a project say together.

    Attributes:
        declared: Each package in each file.
        cures: What to do about a difference, by file.
        unreadable: Files, and parts of files, that can't be read.
    """

    declared: tuple[Declared, ...]
    cures: dict[str, str]
    unreadable: tuple[Drift, ...]


def read_declarations(root: Path, variables: Variables, prefix: Path) -> Declarations:
    """Read every such file in a project's root.

    Args:
        root: Project root, absolute.
        variables: What markers ask for, as it is on the laptop.
        prefix: The environment's root.
    """
    declared: list[Declared] = []
    unreadable: list[Drift] = []
    cures: dict[str, str] = {}
    for form, path in _found(root):
        file = File(root, path, variables, prefix)
        cures[file.place] = form.cure.format(place=file.place)
        try:
            declared += form.read(file)
        except _FAULTS as error:
            unreadable.append(_unreadable(file, error))
        unreadable += file.faults
    return Declarations(tuple(declared), cures, tuple(dict.fromkeys(unreadable)))


def _found(root: Path) -> Iterator[tuple[_Form, Path]]:
    seen: set[Path] = set()
    for form in _FORMS:
        for path in sorted(root.glob(form.glob)):
            if path not in seen and path.is_file() and form.holds(path):
                seen.add(path)
                yield form, path


def _unreadable(file: File, error: Exception) -> Drift:
    reason = " ".join(str(error).split())
    what = f"it can't be read ({reason}), so nothing was compared with it"
    return Drift("unreadable", "warning", file.place, "", what, "correct it")
