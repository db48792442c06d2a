"""Decompressing the archives inside a .deb, with a limit to what they may expand to."""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from repro.debian.ar import Member
from repro.errors import IntegrityError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BLOCK = 1 << 18
_MEMORY = 256 << 20  # more than any level of xz asks for (xz(1))
_ERRORS = (lzma.LZMAError, zlib.error, OSError, EOFError, zstd.ZstdError)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the others' habits: what waits for room is kept inside."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Plain:
    """No compression at all, which deb(5) allows."""

    eof = False
    unused_data = b""

    def __init__(self) -> None:
        self._waiting = b""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        self._waiting += data
        content, self._waiting = self._waiting[:max_length], self._waiting[max_length:]
        return content


_KINDS: dict[str, Callable[[], _Decompressor]] = {
    ".tar": _Plain,
    ".tar.gz": _Gzip,
    ".tar.xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
    ".tar.lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
    ".tar.bz2": bz2.BZ2Decompressor,
    ".tar.zst": zstd.ZstdDecompressor,
}


def decompressed(path: Path, member: Member, limit: int, where: str) -> Iterator[bytes]:
    """The plain tar of one member, in blocks.

    Raises IntegrityError when it is damaged, compressed in an unknown way, or expands to more than `limit` bytes.
    """
    make = _KINDS.get(member.name[member.name.find(".") :])
    if make is None:
        raise IntegrityError(f"{member.name} is compressed in a way that is not known", where=where)
    produced = 0
    try:
        for block in _blocks(path, member, make):
            produced += len(block)
            if produced > limit:
                raise IntegrityError(
                    f"{member.name} expands to more than {limit} bytes, far beyond what the package says it takes",
                    where=where,
                )
            yield block
    except _ERRORS as error:
        raise IntegrityError(f"{member.name} can't be decompressed: {error}", where=where) from error


def _blocks(path: Path, member: Member, make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Several compressed streams in a row are one, as for xz(1) and gzip(1)."""
    decompressor = make()
    left = member.size
    with path.open("rb") as stream:
        stream.seek(member.offset)
        data = b""
        while left or data:
            if not data:
                data = stream.read(min(_BLOCK, left))
                left -= len(data)
                if not data:
                    raise EOFError("it is cut off")
            yield from _drained(decompressor, data)
            data = decompressor.unused_data.lstrip(b"\0")  # padding between streams
            if decompressor.eof and (data or left):
                decompressor = make()
    if not decompressor.eof and not isinstance(decompressor, _Plain):
        raise EOFError("it is cut off")


def _drained(decompressor: _Decompressor, data: bytes) -> Iterator[bytes]:
    while True:
        block = decompressor.decompress(data, _BLOCK)
        data = b""
        if block:
            yield block
        if decompressor.eof or len(block) < _BLOCK:
            return
