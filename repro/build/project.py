"""The project on disk against its lock: every file, before anything is built, and all that is wrong at once."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import LockedFile, Profile
from repro.plan.layers import baked
from repro.profiles import explain_changes
from repro.progress import Progress
from repro.realpaths import RealPaths
from repro.store import ObjectStore
from repro.store.hashing import Outcome, hash_files


def check_project(
    files: Iterable[LockedFile],
    root: Path,
    objects: ObjectStore,
    progress: Progress | None = None,
    profiles: Iterable[Profile] = (),
) -> dict[Digest, Path]:
    """Where each locked file's content is: in the project, or in its object store when the project lacks it.

    Files that stay out of the image aren't looked for. Every other one is hashed, once.

    Raises:
        IntegrityError: Files are missing, unreadable, changed, or lead out of the project; `problems` names
            each with the digest that the lock has and the one that was found; `details` say what changed in
            tables that have one of the lock's `profiles`.
    """
    checked = _Checked(os.path.realpath(root), objects)
    todo = [(file, path) for file in baked(files) if (path := checked.place(file))]
    outcomes = hash_files([path for _, path in todo], progress=progress, title="checking the project")
    for (file, path), outcome in zip(todo, outcomes, strict=True):
        checked.take(file, path, outcome)
    if checked.problems:
        raise IntegrityError(
            "the project is not what the lock says",
            where=str(root),
            problems=[checked.problems[path] for path in sorted(checked.problems)],
            details="\n".join(explain_changes(profiles, checked.changed)),
            fix="Restore these files (`repro pull`, version control), or capture again if the change is meant.",
        )
    return checked.found


@dataclass(slots=True)
class _Checked:
    """What was found, by digest, what is wrong, by path, and where the content is that changed."""

    root: str
    objects: ObjectStore
    real: RealPaths = field(default_factory=RealPaths)
    found: dict[Digest, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    changed: dict[str, Path] = field(default_factory=dict)

    def place(self, file: LockedFile) -> str:
        """Where a file is to be read in the project; empty where there is nothing to read any more."""
        try:
            return self._place(file)
        except (IntegrityError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems[file.path] = f"{file.path}: {reason}"
            return ""

    def take(self, file: LockedFile, path: str, outcome: Outcome) -> None:
        """What came of hashing a file."""
        if isinstance(outcome, OSError):
            self.problems[file.path] = f"{file.path}: {outcome.strerror}"
        elif (outcome.sha256, outcome.after.st_size) != (file.sha256, file.size):
            self.changed[file.path] = Path(path)
            self.problems[file.path] = (
                f"{file.path}: has changed: the lock has {file.sha256} ({file.size} bytes), "
                f"found {outcome.sha256} ({outcome.after.st_size} bytes)"
            )
        else:
            self.found[file.sha256] = Path(path)

    def _place(self, file: LockedFile) -> str:
        name = os.fsdecode(file.path.encode())  # names on disk are UTF-8 whatever the locale says
        path = f"{self.root}/{name}"
        if not os.path.lexists(path):
            if not self.objects.has(file.sha256):
                known = "; `repro pull` can fetch it" if file.source else ""
                raise IntegrityError(f"is missing; the lock has {file.sha256}{known}")
            self.found[file.sha256] = self.objects.checked_path(file.sha256)
            return ""
        if not self.real.of(path).startswith(f"{self.root}{os.sep}"):
            raise IntegrityError("is a symbolic link that leads out of the project")
        if not stat.S_ISREG(_mode(path)):
            raise IntegrityError("is not a regular file")
        return path


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - of very many files
    except FileNotFoundError as error:
        raise IntegrityError("is a broken link") from error
    except OSError as error:
        if not os.path.islink(path):  # noqa: PTH114 - as above
            raise
        raise IntegrityError("is a symbolic link that leads in a circle") from error
