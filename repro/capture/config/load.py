"""Where a project begins, and which of its files holds the settings."""

import tomllib
from pathlib import Path
from typing import Any

from repro.capture.config.model import Config
from repro.capture.config.tables import read_config
from repro.errors import UsageError
from repro.lock.table import Table

MARKERS = ("repro.toml", "pyproject.toml", ".git")
"""Each of these makes a directory a project's root."""


def project_root(subject: Path) -> Path:
    """The nearest directory from the subject's upwards that has one of `MARKERS`; else the subject's own."""
    start = subject.resolve().parent
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in MARKERS):
            return folder
    return start


def load_config(root: Path, explicit: Path | None = None) -> Config:
    """Read the project's settings.

    Args:
        root: Project root, searched for repro.toml, then pyproject.toml's [tool.repro].
        explicit: A file to read instead.

    Raises:
        UsageError: The named file is missing, a file isn't TOML, or a field is unknown or of the wrong shape;
            all faults are listed with their paths.
    """
    path, document = _find(root, explicit)
    table = Table(document)
    config = read_config(table)
    problems = [*table.problems, *table.unknown()]
    if problems:
        raise UsageError(
            "the settings can't be used", where=str(path), problems=problems, fix="See docs/formats/config.md."
        )
    return config


def _find(root: Path, explicit: Path | None) -> tuple[Path, dict[str, Any]]:
    if explicit is not None:
        return explicit, _read(explicit)
    path = root / "repro.toml"
    if path.exists():
        return path, _read(path)
    pyproject = root / "pyproject.toml"
    if pyproject.exists():
        tool = _read(pyproject).get("tool")
        table = tool.get("repro", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise UsageError("must be a table", where=f"{pyproject}: tool.repro")
        return pyproject, table
    return path, {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"can't read the settings: {error.strerror}", where=str(path)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the settings are not valid TOML: {error}", where=str(path)) from error
