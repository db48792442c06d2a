"""Kernelspecs as Jupyter would find them for the user, read by ourselves.

jupyter_client is of no use here: it replaces a bare `python` by its own interpreter (`KernelManager.format_kernel_cmd`)
and searches the prefix that it is installed in.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Literal

from repro.capture.interpreters import absolute, fault, is_own, is_python_name, prefix_python

Level = Literal["user", "environment", "system"]

SYSTEM_FOLDERS = (Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter"))


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """One kernel.json.

    Attributes:
        name: Of its directory, in lower case as Jupyter has it.
        display_name: As menus show it.
        language: As written, such as `python` or `R`.
        folder: The directory that holds kernel.json.
        level: Whether the user registered it, an environment holds it, or the system.
        python: Its interpreter; None when it has none of its own: a bare `python` in a directory that no prefix owns
            means whichever is on PATH.
        env: Variables that it sets, `${NAME}` filled in.
        problem: Why it can't be used, or None.
    """

    name: str
    display_name: str
    language: str
    folder: Path
    level: Level
    python: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def is_python(self) -> bool:
        """Whether it runs Python."""
        return self.language.lower() in {"python", "ipython", ""}


def user_specs(environ: Mapping[str, str]) -> list[KernelSpec]:
    """The specs on Jupyter's data paths, in its order. Those of the environment that runs repro are left out."""
    return [
        spec
        for folder, level, owned in _data_folders(environ)
        if not is_own(folder)
        for spec in _read_folder(folder / "kernels", level, environ, folder if owned else None)
    ]


def environment_specs(prefixes: Iterable[Path], environ: Mapping[str, str]) -> list[KernelSpec]:
    """The specs that environments hold themselves."""
    folders = [prefix / "share" / "jupyter" for prefix in prefixes]
    return [spec for one in folders for spec in _read_folder(one / "kernels", "environment", environ, one)]


def _data_folders(environ: Mapping[str, str]) -> Iterator[tuple[Path, Level, bool]]:
    """Data directory, level, and whether `<prefix>/share/jupyter` tells the interpreter (jupyter_core.paths)."""
    for one in environ.get("JUPYTER_PATH", "").split(os.pathsep):
        if one:
            yield absolute(Path(one)), "user", True
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    # `pip install --user` puts its spec here, and whatever Python is in ~/.local/bin is not the one that it was run by.
    yield _user_folder(home, environ), "user", False
    yield Path(environ.get("IPYTHONDIR") or home / ".ipython"), "user", False
    if sys.platform == "win32":
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "jupyter", "system", False
    for folder in SYSTEM_FOLDERS:
        yield folder, "system", True


def _user_folder(home: Path, environ: Mapping[str, str]) -> Path:
    if environ.get("JUPYTER_DATA_DIR"):
        return absolute(Path(environ["JUPYTER_DATA_DIR"]))
    if sys.platform == "darwin":
        return home / "Library" / "Jupyter"
    if sys.platform == "win32":
        return Path(environ.get("APPDATA") or home / ".jupyter" / "data") / "jupyter"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def _read_folder(kernels: Path, level: Level, environ: Mapping[str, str], owner: Path | None) -> Iterator[KernelSpec]:
    try:
        folders = sorted(kernels.iterdir())
    except OSError:
        return
    for folder in folders:
        if (folder / "kernel.json").is_file():
            yield _read(folder, level, environ, owner)


def _read(folder: Path, level: Level, environ: Mapping[str, str], owner: Path | None) -> KernelSpec:
    name = folder.name.lower()
    try:
        document = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
        argv = [str(part) for part in document["argv"]]
        language, display = str(document.get("language", "")), str(document.get("display_name", name))
        env = {key: Template(str(value)).safe_substitute(environ) for key, value in document.get("env", {}).items()}
        conda = (document.get("metadata") or {}).get("conda_env_path")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return KernelSpec(name, name, "", folder, level, problem=f"its kernel.json can't be read: {error}")
    spec = KernelSpec(name, display, language, folder, level, env=env)
    if not spec.is_python:
        return spec
    python, problem = _interpreter(argv, conda, owner)
    return KernelSpec(name, display, language, folder, level, python, env, problem)


def _interpreter(argv: list[str], conda: Any, owner: Path | None) -> tuple[Path | None, str | None]:
    """The interpreter that a spec's command means, and why it can't be used."""
    if conda:  # nb_conda_kernels starts its own runner and says here which environment that enters
        python = prefix_python(Path(str(conda)))
        return python, fault(python) if python else f"its conda environment {conda} has no Python"
    command = argv[0] if argv else ""
    path = Path(command)
    if not is_python_name(path.name):
        return None, f"its command is `{' '.join(argv[:3])}`, not a Python interpreter"
    if path.is_absolute():
        return path, fault(path)
    if len(path.parts) > 1:
        return None, f"its interpreter `{command}` is a relative path"
    if owner is not None and owner.parts[-2:] == ("share", "jupyter"):
        python = prefix_python(owner.parents[1], path.name)
        return python, fault(python) if python else None
    return None, None
