"""Locks that people name on a command line: what is no lock at all is their slip, and no damaged lock."""

from pathlib import Path

from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, load_lock
from repro.progress import Progress

ENDINGS = (".lock", ".toml")


def load_named(path: Path, progress: Progress) -> tuple[Lock, bytes]:
    """Read a lock; returns it and its body.

    Raises:
        UsageError: There is no such file, or one that isn't a lock by its name and content.
        IntegrityError: A lock by its name can't be read.
    """
    try:
        return load_lock(path, progress)
    except IntegrityError as error:
        if path.suffix in ENDINGS:
            raise
        raise UsageError(
            "this is no lock", where=str(path), fix="Name a repro.lock, or the project it is in."
        ) from error
