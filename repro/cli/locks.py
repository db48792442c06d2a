"""Which lock a command means when none is named."""

from dataclasses import dataclass
from pathlib import Path

from repro.errors import UsageError
from repro.lock import Lock, load_lock
from repro.progress import Progress

NAME = "repro.lock"


@dataclass(frozen=True, slots=True)
class ChosenLock:
    """A lock, where it is, and the bytes of its body (`repro.lock.lock_body`)."""

    path: Path
    lock: Lock
    data: bytes

    @property
    def project(self) -> Path:
        """The directory that holds it."""
        return self.path.absolute().parent


def nearest_lock(start: Path) -> Path | None:
    """The first repro.lock from `start` upwards."""
    folders = (start, *start.parents)
    return next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)


def lock_path(named: Path | None, how: str = "name it with --file") -> Path:
    """The named lock, else the nearest. Raises UsageError, which says how to name one, when there is none."""
    found = named or nearest_lock(Path.cwd())
    if found is None:
        raise UsageError(
            "there is no repro.lock here or in any directory above",
            where=str(Path.cwd()),
            fix=f"Write one with `repro capture NOTEBOOK`, or {how}.",
        )
    return found


def choose_lock(named: Path | None, *, baked: bool, progress: Progress) -> ChosenLock | None:
    """The lock to judge an image by; None for the one baked into it, and the reader is told which.

    A lock at hand always wins unless the person says otherwise: an image must not be able to choose its own judge.

    Raises:
        UsageError: The named lock isn't there, or both were asked for.
        IntegrityError: It can't be read.
    """
    if named and baked:
        raise UsageError("--lock and --baked-lock can't both be followed", fix="Leave one of them out.")
    path = None if baked else named or nearest_lock(Path.cwd())
    if path is None:
        progress.note("Judging by the lock that is baked into the image")
        return None
    progress.note(f"Judging by {path}")
    return ChosenLock(path, *load_lock(path, progress))
