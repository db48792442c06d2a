"""Writing files so that nobody ever sees half of one, and naming the disk's own failures."""

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from repro.errors import InfrastructureError, UsageError
from repro.flock import is_at, lock

_DISK = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
}
PLACE = {
    **_DISK,
    errno.EPERM: "the operation is not permitted",
    errno.ENOENT: "nothing can be made there",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EEXIST: "a part of the path is not a directory",
    errno.ENAMETOOLONG: "the name is too long",
}


class DiskError(InfrastructureError):
    """This machine's own disk refuses: it is full, read-only, or not this user's to write to."""


def is_visible_file(path: Path) -> bool:
    """Whether a file is there that this user may see: before Python 3.14 `is_file` raises below a closed folder."""
    try:
        return path.is_file()
    except PermissionError:
        return False


@contextlib.contextmanager
def disk_errors(path: Path, reasons: Mapping[int, str] = _DISK) -> Iterator[None]:
    """Turn the disk's refusals (full, quota, read-only, permission) into a DiskError that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in reasons:
            raise
        raise DiskError(
            f"can't write: {reasons[error.errno]}",
            where=str(path),
            fix="Free some space or choose a writable place, then run the command again; nothing was half-written.",
        ) from error


@contextlib.contextmanager
def atomic_file(path: Path, mode: int = 0o644, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `path`, flushed, fsynced and renamed over it on success.

    With `durable` off nothing waits for the disk: for caches, whose readers notice what a power cut damaged.
    On any error, Ctrl-C included, the temporary file is removed and `path` stays as it was. What killed writers of
    `path` left is removed by the next durable one; while a writer lives, it has its temporary file locked.
    Raises InfrastructureError when the disk refuses, a durable one UsageError where there is a device or a pipe.
    """
    with disk_errors(path):
        with disk_errors(path, PLACE):
            path.parent.mkdir(parents=True, exist_ok=True)
            if durable:
                _check_replaceable(path)
                _remove_leftovers(path)
            handle, temporary = _temporary(path)
        with contextlib.ExitStack() as stack:
            try:
                if os.name == "posix":  # elsewhere, what is open can't be renamed
                    stack.callback(os.close, os.dup(handle))
                with os.fdopen(handle, "wb") as stream:
                    yield stream
                    stream.flush()
                    if durable:
                        os.fsync(stream.fileno())
                temporary.chmod(mode)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        if durable:
            sync(path.parent)


def _temporary(path: Path) -> tuple[int, Path]:
    """A new file beside `path`, locked where the file system has locks."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_beginning(path), dir=path.parent)
        try:
            lock(handle)
        except OSError:
            return handle, Path(name)
        if is_at(handle, Path(name)):
            return handle, Path(name)
        os.close(handle)  # it was taken for a leftover before it was locked


def _check_replaceable(path: Path) -> None:
    """Root could put a file in the place of what `/dev/null` and `/dev/stdout` are, for everyone on the machine."""
    special = path.exists() and not path.is_file() and not path.is_dir()
    if special or (path.is_symlink() and path.readlink().is_relative_to("/proc")):
        raise UsageError(
            "is a device or a pipe, which no file can take the place of", where=str(path), fix="Name a regular file."
        )


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files beside `path` that nobody has locked. Those that can't be locked stay."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError), os.scandir(path.parent) as found:
        names = [entry.name for entry in found if entry.name.startswith(_beginning(path))]
        for name in names:
            _remove_unlocked(path.with_name(name))


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if lock(handle, wait=False) and is_at(handle, path):
                path.unlink()
        finally:
            os.close(handle)


def _beginning(path: Path) -> str:
    return f".{path.name}.repro-"


def atomic_write(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace `path` with `data` atomically (see `atomic_file`)."""
    with atomic_file(path, mode, durable=durable) as stream:
        stream.write(data)


def link_file(file: Path, path: Path) -> None:
    """Make `path` a hard link to a file, in place of what it was, at once. Raises OSError where that can't be."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.hardlink_to(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # there still, where `path` was this very file


def begin_writing(stream: BinaryIO) -> None:
    """Have the disk begin to write what was written to a file, where the system can: a `sync` later waits less."""
    stream.flush()
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sync(path: Path) -> None:
    """Wait until a file, or a directory's entries, are on the disk, where the system has a way to.

    Raises InfrastructureError when the disk refuses.
    """
    if os.name != "posix":
        return
    with disk_errors(path):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
