"""Interpreters as files: where a prefix keeps its Python, whether it can run, and when two are the same one."""

import os
import re
import sys
from pathlib import Path

_NAME = re.compile(r"(?:python|pypy)[0-9.]*w?(?:\.exe)?", re.IGNORECASE)
_FOLDERS = (("bin", ""), ("Scripts", ".exe"), ("", ".exe"))


def is_python_name(name: str) -> bool:
    """Whether a program of this name is a Python interpreter: python, python3, python3.12, pypy3, python.exe."""
    return _NAME.fullmatch(name) is not None


def prefix_python(prefix: Path, name: str = "python") -> Path | None:
    """The interpreter of an environment or installation, even when it is a dangling link; None when there is none.

    Args:
        prefix: Its root, in the layout of any operating system.
        name: The name to prefer, such as `python3.12`.
    """
    for folder, suffix in _FOLDERS:
        for one in (name, "python", "python3"):
            path = prefix / folder / (one.removesuffix(".exe") + suffix)
            if path.is_symlink() or path.is_file():
                return path
    return None


def prefix_of(python: Path) -> Path:
    """The prefix that an interpreter's path says it belongs to."""
    return python.parent.parent if python.parent.name in {"bin", "Scripts"} else python.parent


def is_environment(prefix: Path) -> bool:
    """Whether a prefix is an environment on top of another Python: venv, virtualenv of any age, or conda."""
    marks = ("pyvenv.cfg", "conda-meta", "bin/activate_this.py", "Scripts/activate_this.py")
    return any((prefix / mark).exists() for mark in marks)


def identity(python: Path) -> Path:
    """What makes two interpreters the same: an environment's real prefix, else the real executable."""
    prefix = prefix_of(python)
    return prefix.resolve() if is_environment(prefix) else python.resolve()


def fault(python: Path) -> str | None:
    """Why an interpreter's file can't be run, or None."""
    if python.is_symlink() and not python.exists():
        return f"its interpreter {python} is a link to {python.resolve()}, which no longer exists"
    if not python.is_file():
        return f"its interpreter {python} does not exist"
    if not os.access(python, os.X_OK):
        return f"its interpreter {python} is not executable"
    return None


def own_environment() -> Path | None:
    """Real prefix of the environment that runs repro, or None when that is an ordinary Python installation."""
    prefix = Path(sys.prefix)
    return prefix.resolve() if is_environment(prefix) else None


def is_own(path: Path) -> bool:
    """Whether a path lies in the environment that runs repro."""
    own = own_environment()
    # The directory is resolved, not the file: a venv's python is a link that leads out of it.
    return own is not None and (path if path.is_dir() else path.parent).resolve().is_relative_to(own)


def absolute(path: Path) -> Path:
    """A path made absolute without following links, so that an environment's own python stays itself."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
