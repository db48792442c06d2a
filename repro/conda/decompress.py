"""Plain bytes of compressed tars, with a limit to what they may expand to."""

import bz2
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from repro.errors import IntegrityError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BLOCK = 1 << 20
_ERRORS = (OSError, EOFError, zstd.ZstdError)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


def unpacked_zstd(blocks: Iterable[bytes], limit: int, where: str) -> Iterator[bytes]:
    """The content of a zstd stream.

    Raises IntegrityError when it is damaged or expands to more than `limit` bytes.
    """
    return _limited(_unpacked(blocks, zstd.ZstdDecompressor), limit, where)


def unpacked_bz2(blocks: Iterable[bytes], limit: int, where: str) -> Iterator[bytes]:
    """The content of a bzip2 stream. Raises as `unpacked_zstd` does."""
    return _limited(_unpacked(blocks, bz2.BZ2Decompressor), limit, where)


def _limited(blocks: Iterator[bytes], limit: int, where: str) -> Iterator[bytes]:
    produced = 0
    try:
        for block in blocks:
            produced += len(block)
            if produced > limit:
                raise IntegrityError(
                    f"it expands to more than {limit} bytes, far beyond what it says it takes", where=where
                )
            yield block
    except _ERRORS as error:
        raise IntegrityError(f"it can't be decompressed: {error}", where=where) from error


def _unpacked(blocks: Iterable[bytes], make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Several compressed streams in a row are one, as for the programs zstd and bzip2."""
    decompressor = make()
    for block in blocks:
        data = block
        while data:
            if decompressor.eof:
                decompressor = make()
            yield from _drained(decompressor, data)
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise EOFError("it is cut off")


def _drained(decompressor: _Decompressor, data: bytes) -> Iterator[bytes]:
    while True:
        block = decompressor.decompress(data, _BLOCK)
        data = b""
        if block:
            yield block
        if decompressor.eof or decompressor.needs_input:
            return
