"""[sources] of repro.toml: what the author says of where files come from, file by file or folder by folder."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from repro.errors import UsageError
from repro.http import Session
from repro.lock.table import Table
from repro.sources import mlflow
from repro.sources.uri import below, folder_problem, problem_of, scheme_of


class Declared:
    """Answers for each file; URIs of MLflow's are resolved once, and only when a file needs them."""

    def __init__(self, entries: Mapping[str, str], root: Path, sessions: Callable[[], Session]) -> None:
        """Learn what is declared.

        Args:
            entries: Path of a file, or of a folder with a slash at the end → its source.
            root: Project root.
            sessions: Gives a session, for MLflow's server.
        """
        self._entries = entries
        self._resolved = functools.cache(lambda uri: mlflow.resolve(uri, root, sessions))
        self._used: set[str] = set()

    def source_of(self, path: str) -> str | None:
        """The source of a file: its own entry, else that of the nearest folder above it that has one.

        Raises:
            UsageError: What the entry's MLflow URI stands for can't be found out, or can't be a source.
            InfrastructureError: MLflow's server can't be asked.
        """
        key = next((key for key in _keys(path) if key in self._entries), None) if self._entries else None
        if key is None:
            return None
        self._used.add(key)
        entry = self._entries[key]
        place = self._resolved(entry.rstrip("/")) if scheme_of(entry) in mlflow.SCHEMES else entry
        if not key.endswith("/"):
            return place
        try:
            return below(place if place.endswith("/") or place is entry else f"{place}/", path.removeprefix(key))
        except ValueError as error:
            raise UsageError(str(error), where=f'[sources] "{key}"') from error

    def unused(self) -> list[str]:
        """Entries that no file asked for."""
        return sorted(set(self._entries) - self._used)


def read_entries(table: Table) -> dict[str, str]:
    """The entries of the table [sources]; faults are recorded in it."""
    entries = {key: table.text(key) for key in table.keys()}  # noqa: SIM118 - a Table is not a mapping
    for key, value in entries.items():
        path = PurePosixPath(key)
        if path.is_absolute() or ".." in path.parts or str(path) != key.removesuffix("/"):
            table.fault(key, "must be a relative path inside the project")
        elif value and (problem := _problem(key, value)):
            table.fault(key, problem)
    return entries


def _problem(key: str, value: str) -> str | None:
    if scheme_of(value) in mlflow.SCHEMES:
        return None
    return folder_problem(value) if key.endswith("/") else problem_of(value)


def _keys(path: str) -> list[str]:
    parts = path.split("/")
    return [path, *("/".join(parts[:count]) + "/" for count in range(len(parts) - 1, 0, -1))]
