"""Brings together what rules look at: what both runs left, sources, and files of packages in the image.

What can't be read is as if it weren't there: a rule without evidence stays silent.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo, RunOutcome
from repro.errors import IntegrityError, ReproError
from repro.lock import Lock
from repro.outputs.compare import OutputDifference, text_difference
from repro.plan import layout
from repro.runner.documents import RunRecord, same_bits
from repro.runner.notebook import EXECUTED
from repro.runner.observed import FILE, Observed
from repro.runner.script import LOG_FILE
from repro.store import kept_runs
from repro.verify.causes.installed import modified_files
from repro.verify.causes.shown import code_cells, first_difference, source_of
from repro.verify.causes.situation import Side, Situation
from repro.verify.model import Verdict
from repro.verify.record import read_record

_MOST_BYTES = 64 << 20
_MOST_SOURCES = 100
_UNPROVED = {"layers", "unproved"}


def gather(
    verdict: Verdict, lock: Lock, *, image: ImageInfo, engine: Engine, run: RunOutcome | None, project: Path | None
) -> Situation:
    """Everything that is known of a verification.

    Args:
        verdict: What was judged so far.
        lock: By which lock.
        image: Which image.
        engine: Where it is.
        run: What it left; None when it was not run.
        project: Directory of the lock, whose `.repro/runs` may have the laptop's run, or None.
    """
    contents = dict(_contents(lock, image, engine, project))
    stored = _notebook(contents.get(lock.subject.path, b"")) if lock.subject.kind == "notebook" else None
    laptop = _laptop(lock, project)
    here = Side() if run is None or run.collected is None else _side(run.collected)
    return Situation(
        lock=lock,
        outcome=verdict.outcome,
        comparisons=verdict.metrics,
        findings=verdict.findings,
        laptop=laptop,
        here=here,
        variables=image.env,
        memory=None if verdict.run is None else verdict.run.memory,
        sources=_sources(contents, stored, lock.subject.path),
        stored=stored,
        first=_first(laptop, here, stored),
        modified=tuple(_modified(verdict, lock, image, engine)),
    )


def _side(directory: Path) -> Side:
    """What a run left in its directory; a container may have left anything."""
    record: RunRecord | None = None
    observed: Observed | None = None
    with contextlib.suppress(IntegrityError):
        record = read_record(directory)
    with contextlib.suppress(ValueError, RecursionError):
        observed = Observed.from_json(_read(directory / FILE))
    printed = _read(directory / LOG_FILE).decode("utf-8", "replace")
    return Side(record, observed, _notebook(_read(directory / EXECUTED)), printed or None)


def _laptop(lock: Lock, project: Path | None) -> Side:
    """The newest captured run here that gave exactly the lock's baseline."""
    if project is None or not lock.baseline.rerun:
        return Side()
    for directory in kept_runs(project, "capture"):
        side = _side(directory)
        if side.record is not None and _gave_baseline(side.record, lock):
            return side
    return Side()


def _gave_baseline(record: RunRecord, lock: Lock) -> bool:
    found = {metric.name: metric.value for metric in record.metrics}
    return bool(lock.metrics) and all(
        metric.name in found and same_bits(metric.value, found[metric.name]) for metric in lock.metrics
    )


def _contents(lock: Lock, image: ImageInfo, engine: Engine, project: Path | None) -> Iterator[tuple[str, bytes]]:
    """The subject and local modules, as locked: from the project, else out of the image."""
    files = [one for one in lock.files if one.path.endswith((".py", ".ipynb")) and one.size <= _MOST_BYTES]
    for file in files[:_MOST_SOURCES]:
        data = _read(project / file.path) if project is not None else b""
        if Digest.of(data) != file.sha256:
            with contextlib.suppress(ReproError):
                data = engine.read_files(image.id, layout.PROJECT / PurePosixPath(file.path)).get("", b"")
        if Digest.of(data) == file.sha256:
            yield file.path, data


def _sources(contents: Mapping[str, bytes], stored: Mapping[str, Any] | None, subject: str) -> dict[str, str]:
    sources = {
        path: data.decode("utf-8", "replace")
        for path, data in contents.items()
        if path.endswith(".py") or (stored is None and path == subject)
    }
    cells = [] if stored is None else code_cells(stored)
    return {**{f"cell {number}": source_of(one) for number, one in enumerate(cells, 1)}, **sources}


def _first(laptop: Side, here: Side, stored: Mapping[str, Any] | None) -> OutputDifference | None:
    """Where this run first shows something else than the laptop's, or else than the stored outputs."""
    baseline = laptop.notebook or stored
    if here.notebook is not None and baseline is not None:
        return first_difference(baseline, here.notebook)
    if here.printed is not None and laptop.printed is not None:
        return text_difference(laptop.printed, here.printed)
    return None


def _modified(verdict: Verdict, lock: Lock, image: ImageInfo, engine: Engine) -> Iterator[str]:
    """Only where the layers don't prove the packages: reading all of them takes its time."""
    if any(one.kind in _UNPROVED for one in verdict.findings):
        yield from modified_files(lock, image, engine)


def _notebook(data: bytes) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(data)
        if isinstance(found, dict) and isinstance(found.get("cells"), list):
            cells = [one for one in found["cells"] if isinstance(one, dict)]
            return {**found, "cells": cells}
    return None


def _read(path: Path) -> bytes:
    """A file, b"" for one that isn't there or is too large."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _MOST_BYTES else b""
    except OSError:
        return b""
