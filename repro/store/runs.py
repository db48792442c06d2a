"""Where a project keeps the evidence of runs: `.repro/runs/<time>-<stage>`, newest last, never part of a lock."""

from datetime import UTC, datetime
from pathlib import Path

from repro.files import disk_errors
from repro.store.objects import keep_out_of_git


def run_directory(root: Path, stage: str) -> Path:
    """A new directory for one run of a stage; names sort by time.

    Raises:
        InfrastructureError: The disk refuses.
    """
    directory = _folder(root) / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{stage}"
    with disk_errors(directory):
        directory.mkdir(parents=True)
    keep_out_of_git(root / ".repro")
    return directory


def kept_runs(root: Path, stage: str) -> list[Path]:
    """The directories of a stage's runs that are still there, the newest first."""
    return sorted(_folder(root).glob(f"*-{stage}"), reverse=True)


def _folder(root: Path) -> Path:
    return root / ".repro" / "runs"
