"""What a capture has learnt once its steps are taken: between the run and the lock. Values only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repro.capture.findings import Finding
from repro.capture.runs.model import Repeats
from repro.http import Session
from repro.lock import ComparedOutput, Lock, LockedFile, Metric
from repro.lock import Evidence as LockedEvidence


@dataclass(frozen=True, slots=True)
class Seen:
    """The lock but for its predictions, the run's directory, warnings, and how to reach the indexes."""

    lock: Lock
    directory: Path | None
    warnings: tuple[str, ...]
    sessions: Callable[[], Session]
    findings: tuple[Finding, ...]
    repeats: Repeats | None
    libraries: frozenset[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the run's evidence comes to in the lock, and what there is to tell of it."""

    root: str | None
    files: tuple[LockedFile, ...]
    metrics: tuple[Metric, ...]
    places: tuple[str, ...]
    evidence: LockedEvidence
    compared: tuple[ComparedOutput, ...]
    warnings: tuple[str, ...]
