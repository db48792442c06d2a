"""The files that an image doesn't hold: found beside the lock, each hashed, and shown to the run, read-only."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.engines.model import Shown
from repro.lock import Lock, LockedFile
from repro.plan import layout
from repro.plan.layers import mounted
from repro.progress import Progress
from repro.store.hashing import Outcome, hash_files
from repro.verify.changes import changed_data
from repro.verify.judge import Judgement
from repro.verify.model import Finding
from repro.verify.model import Outcome as Verification

_MOST_NAMED = 20
_MOST_PARTS = 200
"""More single mounts than this make engines slow; then the whole folder is shown."""


@dataclass(frozen=True, slots=True)
class Brought:
    """The mounted files of a lock, each what the lock says.

    Attributes:
        shown: What the run is to see, or None where nothing is mounted.
        private: Whether some can't be read by everybody, so that another user than their owner wouldn't see them.
    """

    shown: Shown | None = None
    private: bool = False


def bring_mounted(lock: Lock, folder: Path | None, progress: Progress) -> Brought | Judgement:
    """Look for the lock's mounted files below a folder and hash every one; no cache is asked.

    Args:
        lock: Names them.
        folder: Where their paths start; None when nobody said.
        progress: Shows how far the hashing is.

    Returns:
        What the run needs, or the judgement when files are missing or not what the lock says: nothing may run then.
    """
    files = mounted(lock.files)
    if not files:
        return Brought()
    if folder is None:
        return _absent([_expected(file) for file in files], "nobody said where they are")
    top = os.path.realpath(folder)
    outcomes = hash_files([f"{top}/{file.path}" for file in files], progress=progress, title="Checking mounted files")
    missing = [
        f"{_expected(file)}: {one.strerror}" for file, one in _pairs(files, outcomes) if isinstance(one, OSError)
    ]
    changed = [_changed(file, one) for file, one in _pairs(files, outcomes) if not _is_right(file, one)]
    if changed:
        other = {file.path: Path(top, file.path) for file, one in _pairs(files, outcomes) if not _is_right(file, one)}
        return _tampered(changed, missing, top, changed_data(lock, other))
    if missing:
        return _absent(missing, f"not in {top}")
    private = any(not isinstance(one, OSError) and not one.after.st_mode & stat.S_IROTH for one in outcomes)
    return Brought(shown_files(top, [file.path for file in files]), private)


def shown_files(top: str, paths: Sequence[str]) -> Shown:
    """The fewest files and directories that show these files and nothing else.

    Where that would be very many, it is the whole folder.

    Args:
        top: The folder, absolute, links resolved.
        paths: POSIX paths below it.
    """
    wanted = frozenset(paths)
    folders = {folder for path in wanted for folder in _above(path)}
    whole = _whole_folders(top, wanted, folders)
    parts = {_highest(path, whole) for path in wanted}
    if len(parts) > _MOST_PARTS:
        parts = {""}
    return Shown(layout.MOUNTED, {part: Path(os.path.realpath(f"{top}/{part}")) for part in parts})


def _whole_folders(top: str, wanted: frozenset[str], folders: set[str]) -> set[str]:
    """Those folders that hold wanted files and nothing else, deepest first; a link is something else."""
    whole: set[str] = set()
    for folder in sorted(folders, key=lambda one: (-one.count("/") - bool(one), one)):
        with os.scandir(f"{top}/{folder}") as entries:
            if all(_belongs(one, folder, wanted, whole) for one in entries):
                whole.add(folder)
    return whole


def _belongs(entry: os.DirEntry[str], folder: str, wanted: frozenset[str], whole: set[str]) -> bool:
    path = f"{folder}/{entry.name}" if folder else entry.name
    if entry.is_dir(follow_symlinks=False):
        return path in whole
    return path in wanted and entry.is_file(follow_symlinks=False)


def _highest(path: str, whole: set[str]) -> str:
    """The highest whole folder above a file, else the file."""
    return next((folder for folder in _above(path) if folder in whole), path)


def _above(path: str) -> Iterator[str]:
    """The folders above a file, from the top, which is ""."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(len(parts)))


def _pairs(files: Sequence[LockedFile], outcomes: Sequence[Outcome]) -> Iterator[tuple[LockedFile, Outcome]]:
    return zip(files, outcomes, strict=True)


def _is_right(file: LockedFile, outcome: Outcome) -> bool:
    """Whether a file that is there is the locked one."""
    return isinstance(outcome, OSError) or (outcome.sha256, outcome.after.st_size) == (file.sha256, file.size)


def _expected(file: LockedFile) -> str:
    return f"{file.path} ({file.size} bytes, {file.sha256})"


def _changed(file: LockedFile, outcome: Outcome) -> str:
    found = "" if isinstance(outcome, OSError) else f"{outcome.after.st_size} bytes, {outcome.sha256}"
    return f"{file.path}: expected {file.size} bytes, {file.sha256}, found {found}"


def _absent(lines: Sequence[str], why: str) -> Judgement:
    number = "a file that is" if len(lines) == 1 else f"{len(lines)} files that are"
    reason = f"{number} not in the image could not be brought: {why}"
    fix = "Bring the data to where the lock is, or name the folder below which its paths start with --data."
    finding = Finding("mounted", "error", reason, _few(lines))
    return Judgement(Verification.NOT_COMPARABLE, reason, fix, findings=(finding,))


def _tampered(changed: Sequence[str], missing: Sequence[str], top: str, told: tuple[Finding, ...]) -> Judgement:
    number = "a mounted file is" if len(changed) == 1 else f"{len(changed)} mounted files are"
    reason = f"{number} not what the lock says, in {top}: {changed[0].partition(':')[0]}"
    fix = "Restore the data, or name another folder with --data; if the change is meant, capture again."
    finding = Finding("mounted", "error", reason, _few([*changed, *missing]))
    return Judgement(Verification.TAMPERED, reason, fix, findings=(finding, *told))


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    more = (f"and {len(lines) - _MOST_NAMED} more",) if len(lines) > _MOST_NAMED else ()
    return (*lines[:_MOST_NAMED], *more)
