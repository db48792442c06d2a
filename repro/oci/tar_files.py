"""The files of a tar archive, plain or compressed, read where they are: one pass over the headers, nothing unpacked."""

import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from repro.errors import InfrastructureError, IntegrityError
from repro.oci.nodes import FIX
from repro.oci.streams import DAMAGED, magic, unpacked

_BLOCK = 1 << 20
_MOST_MEMBERS = 100_000
_MOST_LINKS = 8
_START = 4


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file.

    Attributes:
        offset: Where its content begins in the (plain) archive.
        size: Bytes.
        compression: As its first bytes say: "gzip", "zstd", or "".
    """

    offset: int
    size: int
    compression: str


@dataclass(frozen=True, slots=True)
class TarFiles:
    """Files by their path in the archive; links are followed inside of it.

    Attributes:
        path: The archive.
        members: Regular files.
        links: Targets of links, as paths in the archive.
    """

    path: Path
    members: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The archive."""
        return str(self.path)

    def size(self, path: str) -> int | None:
        """Bytes of a regular file, None when there is none."""
        found = self.members.get(follow(path, self.links))
        return found.size if found else None

    def compression(self, path: str) -> str:
        """What a file's first bytes show: "gzip", "zstd", or "" for none."""
        return self._member(path).compression

    def open(self, path: str) -> BinaryIO:
        """Begin to read a file. Raises InfrastructureError when that can't be, IntegrityError for a damaged archive."""
        found = self._member(path)
        raw = _opened(self.path)
        try:
            with _readable(self.where):
                plain = unpacked(raw)
                plain.seek(found.offset)
        except BaseException:
            raw.close()
            raise
        return io.BufferedReader(_Slice(raw, plain, found.size, f"{self.where}: {path}"), _BLOCK)

    def _member(self, path: str) -> Member:
        found = self.members.get(follow(path, self.links))
        if found is None:
            raise IntegrityError(f"{path} is missing", where=self.where, fix=FIX)
        return found


def tar_files(path: Path) -> TarFiles:
    """Read the headers of an archive.

    Raises:
        InfrastructureError: It can't be read.
        IntegrityError: It is no tar archive, or damaged.
    """
    found = TarFiles(path)
    with _opened(path) as raw, _readable(str(path)), tarfile.open(fileobj=unpacked(raw), mode="r:") as archive:
        for number, member in enumerate(archive):
            if number >= _MOST_MEMBERS:
                raise IntegrityError(f"more than {_MOST_MEMBERS} files in an archive of images", where=str(path))
            _add(found, member, archive)
    return found


def link_target(member: tarfile.TarInfo) -> str | None:
    """What a link in an archive of images points to, as a path in the archive; None for anything else.

    Old versions of `docker save` write a layer once and link to it from then on.
    """
    if member.issym():
        return posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
    return posixpath.normpath(member.linkname) if member.islnk() else None


def follow(path: str, links: Mapping[str, str]) -> str:
    """The path of the file that a path stands for; links that go in circles lead to no file."""
    place = posixpath.normpath(path)
    for _ in range(_MOST_LINKS):
        place = links.get(place, place)
    return place


def _add(found: TarFiles, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    name = posixpath.normpath(member.name)
    target = link_target(member)
    if target is not None:
        found.links[name] = target
    elif member.isreg() and not member.issparse():
        content = archive.extractfile(member)
        start = content.read(_START) if content else b""
        found.members[name] = Member(member.offset_data, member.size, magic(start))


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise InfrastructureError(f"can't read: {error.strerror}", where=str(path)) from error


_UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, tarfile.TarError)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise IntegrityError(f"no tar archive, or a damaged one: {error}", where=where, fix=FIX) from error


class _Slice(io.RawIOBase):
    """The next bytes of an archive, up to a number of them."""

    def __init__(self, raw: io.BufferedReader, plain: io.BufferedIOBase, size: int, where: str) -> None:
        self._raw = raw
        self._plain = plain
        self._left = size
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        with _readable(self._where):
            count = self._plain.readinto(view)
            if not count and len(view):
                raise EOFError("it ends too early")
        self._left -= count
        return count

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
            self._raw.close()
        super().close()
