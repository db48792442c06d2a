"""Where a project keeps the evidence of runs: `.repro/runs/<time>-<stage>`, newest last, never part of a lock."""

from datetime import UTC, datetime
from pathlib import Path

from repro.files import atomic_write, disk_errors

_IGNORE_ALL = b"*\n"


def runs_directory(root: Path) -> Path:
    """The project's `.repro/runs`, made when missing and kept out of version control.

    Raises:
        InfrastructureError: The disk refuses.
    """
    directory = root / ".repro" / "runs"
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    ignore = directory.parent / ".gitignore"
    if not ignore.exists():
        atomic_write(ignore, _IGNORE_ALL)
    return directory


def run_directory(root: Path, stage: str) -> Path:
    """A new directory for one run of a stage; names sort by time.

    Raises:
        InfrastructureError: The disk refuses.
    """
    directory = runs_directory(root) / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{stage}"
    with disk_errors(directory):
        directory.mkdir()
    return directory
