"""Lays out the locked project for one run: every file checked against its sha256, in a folder that starts empty."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .documents import Evaluation, Failure, StagedFile

LINKED_FROM = 64 << 20
"""Data and model files larger than this many bytes are linked to, not copied."""

MARKER = ".repro-work"
"""The file that tells a later run that this folder is a runner's and may be emptied."""

_MARK = "An evaluation ran in this folder. As long as this file is here, the next one removes everything in it.\n"
_NOT_OURS = ("lost+found",)
"""What a new file system comes with."""

MOUNTED = Path("/opt/mounted")
"""Below it are the project files that are not in the image."""

_LINKED_ROLES = ("data", "model")
_BLOCK = 1 << 20
_MOST_NAMED = 20


def stage(evaluation: Evaluation, project: Path, work: Path, mounted: Path = MOUNTED) -> Failure | None:
    """Copy the evaluation's files from `project` to `work` and check each one on its way.

    Files that are not in the image come from `mounted`, and are looked for before anything is read.

    Files get mode 0644 or 0755. What an earlier run left in `work` is removed first; a folder with anything else in it
    is refused, because somebody may have mounted a project there. The folders that the run writes
    into are made as well: on the laptop they have been there since the first run.

    Returns:
        None, or a "tampered" failure that names every file that is missing or not what the lock says, or an
        "unmounted" one when files that should have been brought were not; nothing may run then. Raises OSError when
        `work` can't be written, and FileExistsError when it holds what no runner left.
    """
    _empty(work)
    absent = [file for file in evaluation.files if file.mount and _is_absent(mounted / file.path)]
    if absent:
        return _unmounted(absent, mounted)
    faults = (_stage_file(file, mounted if file.mount else project, work) for file in evaluation.files)
    problems = tuple(fault for fault in faults if fault)
    if not problems:
        for folder in evaluation.directories:
            (work / folder).mkdir(parents=True, exist_ok=True)
        return None
    what = "file is" if len(problems) == 1 else "files are"
    return Failure("tampered", f"{len(problems)} project {what} not what the lock says", problems=problems)


def _is_absent(path: Path) -> bool:
    """Whether nothing is there, as opposed to something that can't be read."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _unmounted(absent: list[StagedFile], mounted: Path) -> Failure:
    """Which files have to be brought, and how."""
    problems = [f"{file.path}: {file.size} bytes, sha256 {file.sha256}" for file in absent[:_MOST_NAMED]]
    if len(absent) > _MOST_NAMED:
        problems.append(f"and {len(absent) - _MOST_NAMED} more; {mounted.with_name('repro')}/evaluation.json has all")
    what = "file is" if len(absent) == 1 else "files are"
    how = (
        f"{len(absent)} {what} not in this image and not mounted: mount the folder below which their paths are at "
        f'{mounted}, such as `docker run -v "$PWD:{mounted}:ro" IMAGE` from the project'
    )
    return Failure("unmounted", how, problems=tuple(problems))


def _empty(folder: Path) -> None:
    """Remove what an earlier run left in a folder, and mark it as ours; the folder itself may be a mount.

    The marker stays from before the first file until after the last one, so that an interrupted run leaves it too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    items = [item for item in folder.iterdir() if item.name not in _NOT_OURS]
    if items and not _is_marker(marker):
        msg = (
            f"{folder} is not empty and was not made by an earlier run: nothing in it was touched; "
            "mount an empty folder there, or none"
        )
        raise FileExistsError(msg)
    if not items:
        marker.write_text(_MARK, encoding="ascii")
    for item in items:
        if item == marker:
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _is_marker(path: Path) -> bool:
    """Whether a runner wrote this file: its name alone is not enough to erase a folder."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MARK) + 1) == _MARK.encode("ascii")


def _stage_file(file: StagedFile, project: Path, work: Path) -> str:
    """The fault of one file, or ""."""
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return f"{file.path}: leads out of the project"
    source, target = project / path, work / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        stream = source.open("rb")
    except OSError as error:
        return f"{file.path}: expected sha256 {file.sha256}, found {_reason(error)}{_cure(file, error)}"
    with stream:
        if file.role in _LINKED_ROLES and file.size > LINKED_FROM:
            digest, size = _pass_on(stream, None)
            target.symlink_to(source.resolve())
        else:
            with target.open("wb") as copy:
                digest, size = _pass_on(stream, copy)
            target.chmod(0o755 if file.executable else 0o644)
    if (digest, size) != (file.sha256, file.size):
        return f"{file.path}: expected sha256 {file.sha256}, found {digest} ({size} bytes instead of {file.size})"
    return ""


def _pass_on(stream: BinaryIO, copy: BinaryIO | None) -> tuple[str, int]:
    """Read to the end, writing to `copy` where there is one: what was hashed is what was copied."""
    hasher, size = hashlib.sha256(), 0
    for block in iter(lambda: stream.read(_BLOCK), b""):
        hasher.update(block)
        size += len(block)
        if copy is not None:
            copy.write(block)
    return hasher.hexdigest(), size


def _cure(file: StagedFile, error: OSError) -> str:
    """What helps where a file of somebody else's machine can't be read by the image's user."""
    if file.mount and isinstance(error, PermissionError):
        return " for this user: let others read it (chmod o+r), or run the image as the file's owner (--user)"
    return ""


def _reason(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else os.strerror(error.errno or 0).lower()
