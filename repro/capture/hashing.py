"""Project files → locked files: each hashed once, and none that moves meanwhile."""

import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from repro.capture.snapshot import FileState
from repro.garbage import no_collection
from repro.lock import LockedFile, Role
from repro.store.hashing import Hashed, Outcome, hash_files

HashAll = Callable[[Sequence[str]], Sequence[Outcome]]
"""Hashes files by their paths (see `repro.store.hashing.hash_files`)."""


@no_collection()
def lock_files(
    root: Path,
    paths: Iterable[str],
    *,
    states: Mapping[str, FileState],
    role: Callable[[str], Role],
    hash_all: HashAll = hash_files,
) -> tuple[tuple[LockedFile, ...], tuple[str, ...]]:
    """Hash files of a project. A link is locked under its own path with the content that it leads to.

    Args:
        root: Project root.
        paths: POSIX paths relative to it.
        states: How the files were when the run ended, as far as known.
        role: What a path is to the evaluation.
        hash_all: Hashes files.

    Returns:
        The locked files, sorted by path, and a sentence for each that can't be locked.
    """
    files: list[LockedFile] = []
    ordered = sorted(paths)
    problems = [problem for path in ordered if (problem := unsayable(path))]
    said = [path for path in ordered if sayable(path)] if problems else ordered
    for path, outcome in zip(said, hash_all([f"{root}/{path}" for path in said]), strict=True):
        if isinstance(outcome, OSError):
            problems.append(f"{path} can't be read: {outcome.strerror}")
        elif _moved(outcome, states.get(path)):
            problems.append(
                f"{path} changed after the run, while it was being hashed; let nothing write to it during capture"
            )
        else:
            executable = bool(outcome.after.st_mode & stat.S_IXUSR)
            files.append(LockedFile(path, role(path), outcome.sha256, outcome.after.st_size, executable))
    return tuple(files), tuple(problems)


def unsayable(path: str) -> str:
    """The problem of a name that isn't Unicode, so that no lock can hold it; else an empty string."""
    return "" if sayable(path) else f"{shown(path)}: its name is not UTF-8; rename it, or exclude it in repro.toml"


def sayable(path: str) -> bool:
    """Whether a name is Unicode: what isn't came in as lone surrogates (PEP 383)."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    """A path as it can be printed."""
    return path.encode("utf-8", "backslashreplace").decode()


def _moved(hashed: Hashed, known: FileState | None) -> bool:
    """Whether a file was another one when the run ended, or became one while it was hashed."""
    after = FileState.of(hashed.after)
    moved = hashed.before is not hashed.after and FileState.of(hashed.before) != after
    return moved or (known is not None and known != after)
