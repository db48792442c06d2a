"""The places where a run may leave metrics, as an evaluation's `metrics_files` name them, before and after it.

An entry is a file (JSON, YAML, TOML), a `dvc.yaml` that names such files, MLflow's database (`.db`, `.sqlite`), a
folder that is MLflow's or TensorBoard's, or begins with `printed:` (see `metrics_printed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Optional

from .found import PRINTED, Found
from .metrics_dvc import DVC_FILE, dvc_metrics
from .metrics_files import file_stamp, read_metrics_files
from .metrics_mlflow import database_marks, is_store, read_database, read_store, store_marks
from .metrics_tensorboard import event_files, read_events

_FOLDERS = ("mlruns", "runs", "logs", "lightning_logs")
"""Names that are looked for without being asked: a file of that name is none of metrics."""
_DATABASES = (".db", ".sqlite", ".sqlite3")

Before = Mapping[str, Mapping[str, object]]
"""For each place what changes whenever something is written there, by what it is about (`marks`)."""


def marks(root: Path, entries: Iterable[str]) -> dict[str, dict[str, object]]:
    """How the places are now; those that don't exist are left out."""
    names, _ = _expanded(root, entries)
    return {name: one for name in names if (one := _mark(root / name))}


def read_places(root: Path, entries: Iterable[str], before: Optional[Before]) -> Found:
    """What was written there since `before`, or None for all. Files come first, whatever the order of the entries."""
    names, found = _expanded(root, entries)
    stores = Found()
    files = {name: one.get("") for name, one in before.items()} if before is not None else None
    for name in names:
        place = root / name
        known = None if before is None else before.get(name, {})
        if _is_database(place) and place.is_file():
            stores.extend(read_database(place, name, known))
        elif place.is_dir():
            stores.extend(_read_folder(place, name, known))
        elif place.name not in _FOLDERS:
            found.extend(read_metrics_files(root, [name], files))
    found.extend(stores)
    return found


def _expanded(root: Path, entries: Iterable[str]) -> tuple[list[str], Found]:
    """The entries that are places, each once, with what a `dvc.yaml` names instead of it."""
    found = Found()
    names: dict[str, None] = {}
    for entry in entries:
        if entry.startswith(PRINTED):
            continue
        is_dvc = entry.rpartition("/")[2] == DVC_FILE
        names.update(dict.fromkeys(dvc_metrics(root, entry, found) if is_dvc else [entry]))
    return list(names), found


def _mark(place: Path) -> dict[str, object]:
    if place.is_dir():
        events = {str(file): file_stamp(file) for file in event_files(place)}
        return {**store_marks(place), **events} if is_store(place) else dict(events)
    stamp = file_stamp(place)
    if stamp is None:
        return {}
    return database_marks(place) if _is_database(place) else {"": stamp}


def _read_folder(folder: Path, name: str, before: Optional[Mapping[str, object]]) -> Found:
    """MLflow's store, or else event files that are new or were written to."""
    if is_store(folder):  # event files in it are artifacts of its runs
        return read_store(folder, name, before)
    files = list(event_files(folder))
    if before is None:
        which = "nothing was run, and no one can tell which of TensorBoard's files belong to one run: not taken"
        return Found(warnings=[f"{name}: {which}"] if files else [])
    return read_events(folder, name, [file for file in files if file_stamp(file) != before.get(str(file))])


def _is_database(place: Path) -> bool:
    return place.suffix.lower() in _DATABASES
