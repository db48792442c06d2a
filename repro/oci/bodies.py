"""Where the bytes of files come from: memory, the disk, and the checks that any deflate stream has to pass."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.deflate import crc32
from repro.oci.entry import Deflated


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_errors: tuple[type[Exception], ...] = (zlib.error,)
_inflater: Callable[[int], _Inflater] = zlib.decompressobj
try:
    from isal import isal_zlib

    _errors = (cast("type[Exception]", isal_zlib.error),)
    _inflater = isal_zlib.decompressobj
except ImportError:
    pass  # zlib gives the same content, slower

_BLOCK = 1 << 20
_DEFLATE_BLOCK = 1 << 18
_RAW = -15


class Undeflated:
    """What bodies share that have no deflate stream."""

    __slots__ = ()

    @property
    def deflated(self) -> Deflated | None:
        """None: nobody has compressed it so."""
        return None

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Raises TypeError: without `deflated` there are none."""
        raise TypeError(_NO_STREAM)

    def compressed(self) -> Iterator[bytes]:
        """Raises TypeError: without `deflated` there are none."""
        raise TypeError(_NO_STREAM)


@dataclass(frozen=True, slots=True)
class Inline(Undeflated):
    """Content in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return len(self.data)

    @property
    def sha256(self) -> Digest:
        """Digest of the content."""
        return Digest.of(self.data)

    def plain(self) -> Iterator[bytes]:
        """The content in one block."""
        return iter((self.data,))


@dataclass(frozen=True, slots=True)
class FileBody(Undeflated):
    """Content of a file on disk, proved while it is read.

    Attributes:
        path: Where it is.
        size: Bytes that it must have.
        sha256: Digest that they must have.
        label: What to call it in messages.
    """

    path: Path
    size: int
    sha256: Digest
    label: str

    def plain(self) -> Iterator[bytes]:
        """The content in blocks; the last one only when size and digest proved right.

        Raises:
            IntegrityError: The file is gone, can't be read, or has changed.
        """
        return proved(self._sized(), self.sha256, lambda found: self._changed(f"its sha256 is {found}"))

    def _sized(self) -> Iterator[bytes]:
        left = self.size
        for block in self._read():
            left -= len(block)
            if left < 0:
                break
            yield block
        if left:
            raise self._changed("it is shorter" if left > 0 else "it is longer")

    def _read(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb", buffering=0) as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except OSError as error:
            raise IntegrityError(f"the file can't be read: {error.strerror}", where=self.label, fix=_LEAVE) from error

    def _changed(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"the file changed while the image was being built: expected {self.size} bytes with sha256 "
            f"{self.sha256.hex}, but {found}",
            where=self.label,
            fix=_LEAVE,
        )


def proved(blocks: Iterable[bytes], sha256: Digest, refusal: Callable[[str], Exception]) -> Iterator[bytes]:
    """The same blocks, the last one only when their digest proved right.

    Args:
        blocks: The content, none of them empty.
        sha256: Digest that they must have together.
        refusal: What is raised, by the digest that was found, in hex.
    """
    hasher = hashlib.sha256()
    held = b""
    for block in blocks:
        hasher.update(block)
        if held:
            yield held
        held = block
    if hasher.hexdigest() != sha256.hex:
        raise refusal(hasher.hexdigest())
    if held:
        yield held


def inflate_checked(  # noqa: PLR0917 - what an archive's directory says of a member, in its order
    read: Callable[[int], bytes], compressed_size: int, size: int, crc: int, sha256: Digest | None, where: str
) -> Iterator[tuple[bytes, bytes]]:
    """The next `compressed_size` bytes of `read` as a raw deflate stream, in pairs as `Body.pairs` gives them.

    Holds a few hundred KiB whatever the stream expands to, and stops as soon as that is more than `size`. The last
    pair comes only when everything proved right.

    Args:
        read: Gives up to as many bytes as it is asked for, fewer only at the end, like a raw file's `read`.
        compressed_size: Bytes of the stream.
        size: Bytes of the content.
        crc: CRC-32 of the content.
        sha256: Digest of the content, where there is one to check.
        where: What to call it in messages.

    Raises:
        IntegrityError: The stream is no deflate, doesn't end exactly where it should, or the content is another one.
    """
    hasher = hashlib.sha256() if sha256 is not None else None
    found, held = 0, None
    for pair in _inflated(read, compressed_size, size, where):
        found = crc32(pair[1], found)
        if hasher is not None:
            hasher.update(pair[1])
        if held is not None:
            yield held
        held = pair
    if found != crc:
        raise _damaged(f"its CRC-32 is {found:08x} instead of {crc:08x}", where)
    if hasher is not None and sha256 is not None and hasher.hexdigest() != sha256.hex:
        raise _damaged(f"its sha256 is {hasher.hexdigest()} instead of {sha256.hex}", where)
    if held is not None:
        yield held


def _inflated(
    read: Callable[[int], bytes], compressed_size: int, size: int, where: str
) -> Iterator[tuple[bytes, bytes]]:
    inflater = _inflater(_RAW)
    unread, room = compressed_size, size
    while unread:
        block = read(min(_DEFLATE_BLOCK, unread))
        if not block:
            raise _damaged(f"{unread} of its {compressed_size} compressed bytes are missing", where)
        unread -= len(block)
        for content in _contents(inflater, block, size, where):
            room -= len(content)
            if room < 0:
                raise _damaged(f"it expands to more than {size} bytes", where)
            yield block, content
            block = b""
        if inflater.eof and (unread or inflater.unused_data):
            raise _damaged("its deflate stream ends before its place does", where)
    if not inflater.eof:
        raise _damaged("its deflate stream doesn't end where it should", where)
    if room:
        raise _damaged(f"it expands to {size - room} bytes instead of {size}", where)


def _contents(inflater: _Inflater, data: bytes, room: int, where: str) -> Iterator[bytes]:
    """What a block of deflate expands to; once it is more than `room`, the caller has to stop."""
    while True:
        limit = min(_DEFLATE_BLOCK, room + 1)  # never 0, which would mean no limit
        try:
            content = inflater.decompress(data, limit)
        except _errors as error:
            raise _damaged("its deflate stream is corrupt", where) from error
        yield content
        room -= len(content)
        data = inflater.unconsumed_tail
        if inflater.eof or not (data or len(content) == limit):
            return


def _damaged(what: str, where: str) -> IntegrityError:
    return IntegrityError(f"compressed content is damaged: {what}", where=where, fix=_FETCH)


_NO_STREAM = "there is no deflate stream"
_LEAVE = "Make sure that nothing writes to the project during a build, then build again."
_FETCH = "Remove the file that holds it, and get it again from where it came."
