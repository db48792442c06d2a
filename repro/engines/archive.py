"""The engine's tar streams, read without trusting them: regular files only, nothing outside where they belong."""

import contextlib
import errno
import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from repro.errors import IntegrityError
from repro.files import disk_errors

MOST_BYTES = 1 << 28
"""Most that is ever read into memory from an image that somebody else made."""

MOST_COLLECTED = 4 << 30
"""Most bytes that are ever taken over from a container to this machine's disk, and the most files:"""
MOST_FILES = 100_000
_IMPOSSIBLE = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}


@contextlib.contextmanager
def open_archive(chunks: Iterable[bytes]) -> Iterator[tarfile.TarFile]:
    """A tar that arrives in chunks. Raises IntegrityError when it is cut short or malformed."""
    try:
        with io.BufferedReader(_Chunks(chunks), 1 << 20) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            yield archive
    except tarfile.TarError as error:
        raise IntegrityError(f"the engine sent a damaged archive: {error}") from error


def read_members(archive: tarfile.TarFile) -> tuple[dict[str, bytes], str | None]:
    """Regular files by path below the first member, "" for the first itself; and its target when that is a link.

    Raises IntegrityError for more than `MOST_BYTES`.
    """
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    for number, (member, path) in enumerate(_below_top(archive)):
        if number == 0 and member.issym():
            return {}, member.linkname
        if not member.isreg() or path is None:
            continue
        left -= member.size
        if left < 0:
            raise IntegrityError(f"more than {MOST_BYTES >> 20} MiB to read from the image", where=member.name)
        stream = archive.extractfile(member)
        files[path] = stream.read() if stream else b""
    return files, None


def extract_members(archive: tarfile.TarFile, directory: Path) -> None:
    """Write the regular files below the archive's first member into an empty directory; links are left out.

    Raises IntegrityError for more than `MOST_COLLECTED` bytes or `MOST_FILES` members, and for names that no directory
    can have together, or at all.
    """
    left = MOST_COLLECTED
    for number, (member, path) in enumerate(_below_top(archive)):
        left -= member.size if member.isreg() else 0
        if left < 0 or number >= MOST_FILES:
            most = f"{MOST_COLLECTED >> 20} MiB or {MOST_FILES} files"
            raise IntegrityError(f"more than {most} to copy out of the container", where=member.name)
        stream = archive.extractfile(member) if member.isreg() else None
        if not path or stream is None:
            continue
        target = directory.joinpath(*PurePosixPath(path).parts)
        with disk_errors(target), _possible(member.name):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as output:
                shutil.copyfileobj(stream, output, 1 << 20)


@contextlib.contextmanager
def _possible(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _IMPOSSIBLE:
            raise
        raise IntegrityError(f"the container left a file that can't be: {error}", where=name) from error


def _below_top(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str | None]]:
    """Members with their paths below the first; None for those that would leave the place they are unpacked to.

    Docker's first member has the name of the folder that was asked for, and the others begin with it. Podman leaves
    the name of a volume's folder out: "", "/a", "/b/c".
    """
    top = None
    for member in archive:
        parts = [part for part in member.name.split("/") if part not in {"", "."}]
        top = min(len(parts), 1) if top is None else top
        outside = ".." in parts or (top and member.name.startswith("/"))
        yield member, None if outside else "/".join(parts[top:])


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a readable stream."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
