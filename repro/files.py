"""Writing files so that nobody ever sees half of one, and naming the disk's own failures."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from repro.errors import InfrastructureError

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


@contextlib.contextmanager
def disk_errors(path: Path, reasons: Mapping[int, str] = _DISK) -> Iterator[None]:
    """Turn the disk's refusals (full, quota, read-only, permission) into an InfrastructureError that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in reasons:
            raise
        raise InfrastructureError(
            f"can't write: {reasons[error.errno]}",
            where=str(path),
            fix="Free some space or choose a writable place, then run the command again; nothing was half-written.",
        ) from error


@contextlib.contextmanager
def atomic_file(path: Path, mode: int = 0o644, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `path`, flushed, fsynced and renamed over it on success.

    With `durable` off nothing waits for the disk: for caches, whose readers notice what a power cut damaged.
    On any error, Ctrl-C included, the temporary file is removed and `path` stays as it was.
    Raises InfrastructureError when the disk refuses.
    """
    with disk_errors(path):
        with disk_errors(path, PLACE):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
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


def atomic_write(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace `path` with `data` atomically (see `atomic_file`)."""
    with atomic_file(path, mode, durable=durable) as stream:
        stream.write(data)


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
