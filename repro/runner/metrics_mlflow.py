"""MLflow's runs: the last value of each metric, out of a store of files or a SQLite database. Parameters are none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .found import MLFLOW, Found

Marks = dict[str, object]
"""For each metric of each run what changes whenever it is logged, by `mark`."""

_GIVEN_BY_MLFLOW = re.compile(r"[a-z]+-[a-z]+-[0-9]+")
_QUERY = """\
SELECT runs.run_uuid, runs.name, runs.start_time, parents.value, latest.key, latest.value, latest.is_nan,
       latest.timestamp, latest.step
FROM latest_metrics AS latest
JOIN runs ON runs.run_uuid = latest.run_uuid AND runs.lifecycle_stage = 'active'
LEFT JOIN tags AS parents ON parents.run_uuid = runs.run_uuid AND parents.key = 'mlflow.parentRunId'
ORDER BY latest.run_uuid, latest.key"""


@dataclass
class Run:
    """A run of MLflow's: its own name and identifier, when it began, under which other run, and its last values."""

    id: str
    name: str = ""
    start: int = 0
    parent: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


def is_store(folder: Path) -> bool:
    """Whether a folder is a store of MLflow's: its experiments are folders with a `meta.yaml`."""
    return any(folder.glob("*/meta.yaml"))


def store_marks(folder: Path) -> Marks:
    """For each metric's file in a store its size and times."""
    marks: Marks = {}
    for file, run, key in _metric_files(folder):
        with contextlib.suppress(OSError):
            info = file.stat()
            marks[mark(run, key)] = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    return marks


def database_marks(file: Path) -> Marks:
    """For each metric in a database when it was logged last, and with which value."""
    found = Found()
    return {mark(row[0], row[4]): tuple(row[5:]) for row in _rows(file, file.name, found)}


def mark(run: str, key: str) -> str:
    """One name for a metric of a run."""
    return f"{run}/{key}"


def read_store(folder: Path, name: str, before: Optional[Mapping[str, object]]) -> Found:
    """What the runs in a store of files say that logged something since `before`; None: what the newest one says."""
    found = Found()
    runs: dict[str, Run] = {}
    now = store_marks(folder)
    for file, number, key in _metric_files(folder):
        if before is not None and now.get(mark(number, key)) == before.get(mark(number, key)):
            continue
        try:
            value = _last_value(file)
        except (OSError, ValueError) as error:
            found.warnings.append(f"{name}: the metric {key} of run {number} can't be read: {error}")
            continue
        run = runs[number] if number in runs else _described(file, number, key)
        if run is not None:
            runs[number] = run
            run.metrics[key] = value
    return _taken(found, list(runs.values()), name, newest=before is None)


def read_database(file: Path, name: str, before: Optional[Mapping[str, object]]) -> Found:
    """The same out of a SQLite database, which is only read."""
    found = Found()
    runs: dict[str, Run] = {}
    for number, called, start, parent, key, value, is_nan, *when in _rows(file, name, found):
        if before is not None and before.get(mark(number, key)) == (value, is_nan, *when):
            continue
        run = runs.setdefault(number, Run(number, called or "", start or 0, parent or ""))
        run.metrics[key] = float("nan") if is_nan else float(value)
    return _taken(found, list(runs.values()), name, newest=before is None)


def _taken(found: Found, runs: list[Run], name: str, *, newest: bool) -> Found:
    """Add the metrics of runs that stand by themselves; those below another one are its trials and folds."""
    known = {run.id for run in runs}
    nested = [run for run in runs if run.parent in known]
    if nested:
        found.warnings.append(
            f"{name}: {len(nested)} of MLflow's runs are nested in another one and were not taken; "
            "log what counts to the outer one"
        )
    outer = sorted(
        (run for run in runs if run.parent not in known),
        key=lambda run: (run.start, sorted(map(repr, run.metrics.items()))),
    )
    if newest and len(outer) > 1:
        found.warnings.append(
            f"{name}: nothing was run, so MLflow's newest run was taken, {outer[-1].name or outer[-1].id}"
        )
        outer = outer[-1:]
    prefixes = _prefixes(outer)
    for index, run in enumerate(outer):
        for key, value in sorted(run.metrics.items()):
            found.add(prefixes[index] + key, value, f"{MLFLOW}{name}")
    return found


def _order(run: Run) -> tuple[int, list[str]]:
    """By time, and where two began in the same millisecond by what they say: identifiers are random."""
    return run.start, sorted(map(repr, run.metrics.items()))


def _prefixes(runs: list[Run]) -> list[str]:
    """What tells runs apart: their names where a person gave all of them, else their order. MLflow's are random."""
    if len(runs) == 1:
        return [""]
    names = [run.name for run in runs]
    if len(set(names)) == len(names) and not any(not name or _GIVEN_BY_MLFLOW.fullmatch(name) for name in names):
        return [f"{name}." for name in names]
    return [f"run[{index}]." for index in range(len(runs))]


def _metric_files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """(file, run, metric) for `<experiment>/<run>/metrics/<metric>`; a metric's name may have slashes."""
    for metrics in sorted(folder.glob("*/*/metrics")):
        if metrics.parent.parent.name != ".trash" and (metrics.parent / "meta.yaml").is_file():
            for file in sorted(metrics.rglob("*")):
                if file.is_file():
                    yield file, metrics.parent.name, file.relative_to(metrics).as_posix()


def _last_value(file: Path) -> float:
    """The value with the highest step; later ones win. Each line: time in ms, value, step, and maybe more."""
    best: Optional[tuple[int, int, float]] = None
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip():
            time, value, step = [*line.split(), "0"][:3]
            if best is None or (int(step), int(time)) >= best[:2]:
                best = (int(step), int(time), float(value))
    if best is None:
        msg = "it is empty"
        raise ValueError(msg)
    return best[2]


def _described(file: Path, number: str, key: str) -> Optional[Run]:
    """The run that a metric's file belongs to, from its meta.yaml and tags; None for one that was deleted."""
    import yaml  # noqa: PLC0415 - only where there is YAML

    folder = file.parents[len(key.split("/"))]
    try:
        meta: Any = yaml.safe_load((folder / "meta.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        meta = {}
    meta = meta if isinstance(meta, Mapping) else {}
    if meta.get("lifecycle_stage", "active") != "active":
        return None
    start = meta.get("start_time")
    name = str(meta.get("run_name") or _tag(folder, "mlflow.runName"))
    return Run(number, name, start if isinstance(start, int) else 0, _tag(folder, "mlflow.parentRunId"))


def _tag(run: Path, key: str) -> str:
    try:
        return (run / "tags" / key).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _rows(file: Path, name: str, found: Found) -> list[Any]:
    """All latest metrics; nothing, with a warning, when it is no database of MLflow's or can't be read."""
    try:
        import sqlite3  # noqa: PLC0415 - some Pythons are built without it
    except ImportError:
        found.warnings.append(f"{name}: this Python has no sqlite3, so MLflow's metrics were not taken")
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        found.warnings.append(f"{name} can't be read as MLflow's database: {error}")
        return []
