"""The project on disk against its lock: every file, before anything is built, and all that is wrong at once."""

import os
from collections.abc import Iterable
from pathlib import Path

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import LockedFile
from repro.store import ObjectStore


def check_project(files: Iterable[LockedFile], root: Path, objects: ObjectStore) -> dict[Digest, Path]:
    """Where each locked file's content is: in the project, or in its object store when the project lacks it.

    Raises:
        IntegrityError: Files are missing, unreadable, changed, or lead out of the project; `problems` names
            each with the digest that the lock has and the one that was found.
    """
    found: dict[Digest, Path] = {}
    problems: list[str] = []
    for file in files:
        try:
            found[file.sha256] = _checked(file, root, objects)
        except (IntegrityError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{file.path}: {reason}")
    if problems:
        raise IntegrityError(
            "the project is not what the lock says",
            where=str(root),
            problems=problems,
            fix="Restore these files (from version control, say), or capture again if the change is meant.",
        )
    return found


def _checked(file: LockedFile, root: Path, objects: ObjectStore) -> Path:
    path = root / os.fsdecode(file.path.encode())  # names on disk are UTF-8 whatever the locale says
    if not path.exists() and not path.is_symlink():
        if objects.has(file.sha256):
            return objects.checked_path(file.sha256)
        raise IntegrityError(f"is missing; the lock has {file.sha256}")
    try:
        place = path.resolve()
    except (OSError, RuntimeError) as error:
        raise IntegrityError("is a symbolic link that leads in a circle") from error
    if not place.is_relative_to(root.resolve()):
        raise IntegrityError("is a symbolic link that leads out of the project")
    if not path.is_file():
        raise IntegrityError("is a broken link" if path.is_symlink() and not path.exists() else "is not a regular file")
    digest, size = Digest.of_file(path), path.stat().st_size
    if (digest, size) != (file.sha256, file.size):
        raise IntegrityError(
            f"has changed: the lock has {file.sha256} ({file.size} bytes), found {digest} ({size} bytes)"
        )
    return path
