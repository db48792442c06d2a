"""A wheel as a zip file that nobody has to trust: its members by name, and what is wrong with them.

Nothing is unpacked. What the members mean to Python is decided in `repro_oci.wheel_contents`.
"""

import os
import stat
import struct
import threading
import weakref
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from repro.errors import InfrastructureError, IntegrityError
from repro_oci.wheel_paths import name_problem

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_EXTRA = struct.Struct("<HH")
_SIGNATURE = b"PK\x03\x04"
_END = struct.Struct("<4sHHHHIIH")
_END_SIGNATURE = b"PK\x05\x06"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DEFERRED = 0x8
_UTF8 = 0x800
_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075
_IN_ZIP64 = 0xFFFFFFFF
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_REPACK = "Get the wheel again from its index, or build it again with a current tool, and capture again."

Unreadable: Final = (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OverflowError, EOFError)
"""What `zipfile` raises for archives that are none."""


class WheelArchive:
    """Random access to a wheel's bytes through one handle, opened at the first read and closed with the last user.

    Safe for several threads.

    Attributes:
        path: The file.
        name: What to call it in messages: the wheel's file name.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._finalizer: weakref.finalize[[int], WheelArchive] | None = None

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer at the end. Raises InfrastructureError when it can't be read."""
        try:
            if hasattr(os, "pread"):
                return os.pread(self._opened(), size, offset)
            return self._seek_and_read(offset, size)
        except OSError as error:
            raise InfrastructureError(
                f"can't read the wheel: {error.strerror}", where=f"{self.name} ({self.path})"
            ) from error

    def close(self) -> None:
        """Give the handle back; the next read opens another."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._handle = self._finalizer = None

    def _opened(self) -> int:
        if (handle := self._handle) is not None:
            return handle
        with self._lock:
            if self._handle is None:
                self._handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                self._finalizer = weakref.finalize(self, os.close, self._handle)
            return self._handle

    def _seek_and_read(self, offset: int, size: int) -> bytes:
        handle = self._opened()
        with self._lock:
            os.lseek(handle, offset, os.SEEK_SET)
            return os.read(handle, size)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive.

    Attributes:
        name: POSIX path inside the wheel.
        offset: Where its data begins.
        stored: Bytes of that data.
        size: Bytes of the content.
        crc: CRC-32 of the content.
        deflated: Whether the data is a deflate stream; it is the content itself otherwise.
        executable: Whether somebody may execute it.
    """

    name: str
    offset: int
    stored: int
    size: int
    crc: int
    deflated: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What the central directory lists.

    Attributes:
        members: Files in which nothing is wrong, by name.
        names: Every file that is listed, sound or not.
        problems: What is wrong, one sentence each, with the member's name.
    """

    members: dict[str, Member]
    names: frozenset[str]
    problems: list[str]


def list_members(archive: WheelArchive) -> Listing:
    """The files of a wheel, each compared with its local header; directories are left out.

    Raises:
        IntegrityError: It is no zip file.
        InfrastructureError: It can't be read.
    """
    items, directory = _central_directory(archive)
    files = [item for item in items if not item.filename.endswith("/")]
    faulty = {item.filename: found for item in items if (found := _item_problem(item))}
    problems = [f"{name!r} {found}" for name, found in faulty.items()]
    sound: dict[str, Member] = {}
    spans = [(directory, directory, "the zip's directory")]
    for item in files:
        if item.filename in faulty:
            continue
        member = _located(archive, item, directory)
        if isinstance(member, str):
            problems.append(f"{item.filename!r} {member}")
        else:
            spans.append((item.header_offset, member.offset + member.stored, repr(member.name)))
            sound[member.name] = member
    counted = Counter(item.filename for item in files)
    problems += [f"{name!r} is there {count} times" for name, count in counted.items() if count > 1]
    return Listing(sound, frozenset(counted), problems + _overlaps(spans))


def count_members(path: Path) -> int:
    """How many members a wheel says that it has, by its last bytes; 0 where that can't be told. Nothing is checked."""
    try:
        with path.open("rb") as stream:
            stream.seek(-_END.size, os.SEEK_END)
            signature, *_, count, _, _, _ = _END.unpack(stream.read(_END.size))
    except (OSError, struct.error):
        return 0
    return int(count) if signature == _END_SIGNATURE else 0


def refusal(archive: WheelArchive, problems: Iterable[str]) -> IntegrityError:
    """The error that says why a wheel isn't used."""
    return IntegrityError("the wheel can't be trusted", where=archive.name, problems=problems, fix=_REPACK)


def _central_directory(archive: WheelArchive) -> tuple[list[zipfile.ZipInfo], int]:
    try:
        with archive.path.open("rb") as stream, zipfile.ZipFile(stream) as parsed:
            return parsed.infolist(), parsed.start_dir
    except Unreadable as error:
        raise IntegrityError(f"not a wheel: {error}", where=archive.name, fix=_REPACK) from error
    except OSError as error:
        raise InfrastructureError(
            f"can't read the wheel: {error.strerror}", where=f"{archive.name} ({archive.path})"
        ) from error


def _item_problem(item: zipfile.ZipInfo) -> str | None:
    """What is wrong with a member by the central directory alone."""
    return (
        name_problem(item.filename)
        or _encoding_problem(item)
        or _kind_problem(item)
        or ("is encrypted" if item.flag_bits & _ENCRYPTED else None)
        or (f"uses compression method {item.compress_type}" if item.compress_type not in _METHODS else None)
        or _size_problem(item)
    )


def _encoding_problem(item: zipfile.ZipInfo) -> str | None:
    """Names that two readers would read differently."""
    if item.extra and any(number == _UNICODE_PATH for number, _ in _extra_fields(item.extra)):
        return "has a second name (Unicode path extra field)"
    if item.orig_filename != item.filename:
        return f"has another name to other readers: {item.orig_filename!r}"
    if not item.filename.isascii() and not item.flag_bits & _UTF8:
        return "has a name that is not said to be UTF-8"
    return None


def _kind_problem(item: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(item.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    expected = stat.S_IFDIR if item.filename.endswith("/") else stat.S_IFREG
    return None if kind in (0, expected) else "is neither a file nor a directory"


def _size_problem(item: zipfile.ZipInfo) -> str | None:
    if item.filename.endswith("/"):
        return "is a directory with content" if item.file_size else None
    if item.compress_type == zipfile.ZIP_STORED and item.compress_size != item.file_size:
        return f"is stored in {item.compress_size} bytes, but has {item.file_size}"
    return None


def _located(archive: WheelArchive, item: zipfile.ZipInfo, directory: int) -> Member | str:
    """The member with its data's place, or what is wrong with its local header (APPNOTE, 4.3.7)."""
    name = item.filename.encode()
    inside = 0 <= item.header_offset < directory
    header = archive.read_at(item.header_offset, _LOCAL.size + len(name)) if inside else b""
    if len(header) < _LOCAL.size or header[:4] != _SIGNATURE:
        return "has no local header"
    _, _, flags, method, _, _, crc, stored, size, name_length, extra_length = _LOCAL.unpack_from(header)
    if header[_LOCAL.size :] != name or name_length != len(name):
        return "has another name in its local header"
    if method != item.compress_type or (flags ^ item.flag_bits) & _ENCRYPTED:
        return "is encoded otherwise by its local header"
    start = item.header_offset + _LOCAL.size + name_length
    if _IN_ZIP64 in (stored, size):
        size, stored = _zip64(archive.read_at(start, extra_length), size, stored)
    expected = (item.CRC, item.compress_size, item.file_size)
    if (crc, stored, size) != expected and not (flags & _DEFERRED and _later((crc, stored, size), expected)):
        return "has another size or CRC in its local header"
    return Member(
        item.filename,
        start + extra_length,
        item.compress_size,
        item.file_size,
        item.CRC,
        method == zipfile.ZIP_DEFLATED,
        _executable(item.external_attr >> 16),
    )


def _executable(mode: int) -> bool:
    """As pip decides it: a regular file, and any of the three bits."""
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _later(found: Iterable[int], expected: Iterable[int]) -> bool:
    """Whether a header leaves to the data descriptor what it doesn't say (APPNOTE, 4.4.4, bit 3)."""
    return all(one in (0, other) for one, other in zip(found, expected, strict=True))


def _zip64(extra: bytes, size: int, stored: int) -> tuple[int, int]:
    """The sizes of a local header whose own fields are too small for them (APPNOTE, 4.5.3)."""
    field = next((data for number, data in _extra_fields(extra) if number == _ZIP64), b"")
    numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
    size = next(numbers, size) if size == _IN_ZIP64 else size
    stored = next(numbers, stored) if stored == _IN_ZIP64 else stored
    return size, stored


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _EXTRA.size <= len(extra):
        number, length = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        yield number, extra[position : position + length]
        position += length


def _overlaps(spans: Iterable[tuple[int, int, str]]) -> list[str]:
    """Two members out of the same bytes are how small zips become large (Fifield, 2019)."""
    ordered = sorted(spans)
    return [f"{after} overlaps {before}" for (_, end, before), (start, _, after) in pairwise(ordered) if start < end]
