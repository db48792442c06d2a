"""Keeping what a run left: its record, the executed notebook, its last lines, the lock that judged, and the verdict."""

import shutil
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.engines.model import RunOutcome
from repro.errors import InfrastructureError
from repro.files import atomic_write, disk_errors
from repro.lock import Lock, lock_body, render_lock
from repro.store import run_directory
from repro.verify.document import render_verdict
from repro.verify.model import Verdict

JUDGED = "judged.lock"
"""Name of the lock there; not that of a project's, so that no command takes it for one."""
LOG = "log.txt"


def keep_evidence(verdict: Verdict, run: RunOutcome, project: Path, lock: Lock, body: bytes) -> Verdict:
    """Copy everything into a new directory below the project's `.repro/runs`; returns the verdict that names it.

    Args:
        verdict: What was judged.
        run: What the run left.
        project: Where to keep it.
        lock: What it was judged by.
        body: The bytes of its body.

    Raises:
        InfrastructureError: The disk refuses.
    """
    short = "" if verdict.lock is None else f"-{Digest.parse(verdict.lock.digest).short}"
    directory = run_directory(project, f"verify{short}")
    with disk_errors(directory):
        if run.collected is not None:
            _copy(run.collected, directory)
    kept = replace(verdict, evidence=str(directory))
    whole = render_lock(lock)  # with the predicted layers; of a newer format only the body has every field
    atomic_write(directory / JUDGED, whole if lock_body(whole) == body else body)
    atomic_write(directory / LOG, run.log.encode("utf-8", "backslashreplace"))
    atomic_write(directory / "verdict.json", render_verdict(kept))
    return kept


def _copy(source: Path, target: Path) -> None:
    """Copy a tree. Raises InfrastructureError: copytree gathers what the disk refused in an error without a number."""
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except shutil.Error as error:
        raise InfrastructureError("can't copy the evidence", where=str(target), details=str(error)) from error
