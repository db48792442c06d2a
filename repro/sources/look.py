"""Which locked files are there as the lock has them, which are missing, and which hold something else."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from repro.lock import LockedFile
from repro.progress import Progress
from repro.store.hashing import Outcome, hash_files

State = Literal["present", "absent", "changed", "impossible"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One locked file and what is at its place.

    Attributes:
        file: As locked.
        target: Its place, absolute.
        state: "impossible" where nothing may be written, even when asked to.
        reason: Why it is "changed" or "impossible".
    """

    file: LockedFile
    target: Path
    state: State
    reason: str = ""


def look(root: Path, files: Sequence[LockedFile], progress: Progress) -> list[Seen]:
    """Compare files with the lock; those of the right size are hashed. In the given order."""
    inside = root.resolve()
    seen = [_seen(root, inside, file) for file in files]
    right = [index for index, one in enumerate(seen) if one.state == "present"]
    outcomes = hash_files([os.fspath(seen[index].target) for index in right], progress=progress, title="checking files")
    for index, outcome in zip(right, outcomes, strict=True):
        seen[index] = _compared(seen[index], outcome)
    return seen


def _seen(root: Path, inside: Path, file: LockedFile) -> Seen:
    """What can be told without reading; "present" is a guess by size."""
    target = root / os.fsdecode(file.path.encode())  # names on disk are UTF-8 whatever the locale says
    try:
        if not target.parent.resolve().is_relative_to(inside):
            return Seen(file, target, "impossible", "its folder is a link that leads out of the project")
        return Seen(file, target, *_state(target, inside, file))
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "a link leads in a circle"
        return Seen(file, target, "impossible", reason)


def _state(target: Path, inside: Path, file: LockedFile) -> tuple[State, str]:
    try:
        info = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        above = next(folder for folder in target.parents if os.path.lexists(folder))
        return ("absent", "") if above.is_dir() else ("impossible", f"{above.name} is no folder")
    if not stat.S_ISREG(info.st_mode):
        return "impossible", "what is there is no regular file"
    if not target.resolve().is_relative_to(inside):
        return "changed", "it is a link that leads out of the project"
    if info.st_size != file.size:
        return "changed", f"it has {info.st_size} bytes, the lock {file.size}"
    return "present", ""


def _compared(one: Seen, outcome: Outcome) -> Seen:
    if isinstance(outcome, OSError):
        return replace(one, state="impossible", reason=f"it can't be read: {outcome.strerror}")
    if outcome.sha256 == one.file.sha256:
        return one
    return replace(one, state="changed", reason=f"it is {outcome.sha256}, the lock has {one.file.sha256}")
