"""What pyenv would choose in a directory, read from its files: no shim, no shell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FILE = ".python-version"


@dataclass(frozen=True, slots=True)
class PyenvVersion:
    """A choice of pyenv.

    Attributes:
        name: As asked for, such as `3.11.7`, `3.11` or the name of a pyenv-virtualenv.
        prefix: Its root; where it would be when it is not installed.
        source: What asked for it, for people.
        installed: Whether pyenv has it.
    """

    name: str
    prefix: Path
    source: str
    installed: bool


def pyenv_version(start: Path, environ: Mapping[str, str]) -> PyenvVersion | None:
    """What PYENV_VERSION or the nearest `.python-version` asks for.

    None without pyenv, for `system`, and for what only other tools understand (uv writes `>=3.11` and
    `cpython-3.11.7-linux-x86_64-gnu` into the same file).
    """
    versions = _root(environ) / "versions"
    wanted = _wanted(start, environ) if versions.is_dir() else None
    if wanted is None:
        return None
    name, source = wanted
    found = _find(versions, name)
    if found is None and re.fullmatch(r"[0-9.]+[0-9a-z]*", name) is None:
        return None
    return PyenvVersion(name, found or versions / name, source, installed=found is not None)


def _root(environ: Mapping[str, str]) -> Path:
    """PYENV_ROOT; pyenv-win calls it PYENV."""
    given = environ.get("PYENV_ROOT") or environ.get("PYENV")
    home = environ.get("HOME") or environ.get("USERPROFILE") or "~"
    return Path(given) if given else Path(home).expanduser() / ".pyenv"


def _wanted(start: Path, environ: Mapping[str, str]) -> tuple[str, str] | None:
    given = environ.get("PYENV_VERSION", "").partition(":")[0]
    if given:
        return None if given == "system" else (given, "PYENV_VERSION")
    for folder in (start, *start.parents):
        path = folder / _FILE
        if path.is_file():
            words = (line.partition("#")[0].strip() for line in path.read_text("utf-8", "replace").splitlines())
            first = next((word for word in words if word), "system")
            return None if first == "system" else (first, f"pyenv, by {path}")
    return None


def _find(versions: Path, name: str) -> Path | None:
    """The version of that name, else the newest release that the name begins (`3.11` → `3.11.7`), as pyenv does."""
    exact = versions / name
    if exact.is_dir():
        return exact
    pattern = re.compile(re.escape(name.removeprefix("python-")) + r"(?:\.(\d+))?(?:\.(\d+))?")
    matches = [(match, path) for path in versions.iterdir() if (match := pattern.fullmatch(path.name))]
    newest = max(matches, key=lambda pair: [int(part or -1) for part in pair[0].groups()], default=None)
    return newest[1] if newest else None
