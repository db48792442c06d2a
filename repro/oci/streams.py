"""Streams that check themselves: a blob against its digest and size, and a layer's plain tar against its diff_id."""

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.image import DOCKER_LAYER, DOCKER_LAYER_GZIP, LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, Image

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_gzip_file: Callable[..., io.BufferedIOBase] = gzip.GzipFile
_errors: tuple[type[Exception], ...] = ()
try:
    from isal import igzip, isal_zlib

    _gzip_file, _errors = igzip.IGzipFile, (cast("type[Exception]", isal_zlib.error),)
except ImportError:
    pass  # gzip gives the same, slower

_BLOCK = 1 << 20
_DOCKER_LAYER_ZSTD = DOCKER_LAYER + ".zstd"
DAMAGED: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError, *_errors)
"""What decompressors raise for input that is damaged or cut off."""

_AGAIN = "Get it again: the copy here, or what it was copied from, is damaged or was changed."


class Checked(io.RawIOBase):
    """Passes bytes on and hashes them; at the end of the stream, wrong content is an IntegrityError instead of an end.

    Args:
        stream: Where the bytes come from; closed with this.
        digest: sha256 that they must have.
        size: Their number, or None when it isn't known.
        where: What they are, for messages.
    """

    def __init__(self, stream: BinaryIO, digest: Digest, size: int | None, where: str) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()
        self._digest = digest
        self._size = size
        self._where = where
        self._count = 0

    def readable(self) -> bool:  # noqa: D102 - as in io.RawIOBase
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer. Raises IntegrityError at the end, or beyond the size, when the content isn't right."""
        view = memoryview(buffer).cast("B")
        block = self._stream.read(len(view))
        count = len(block)
        view[:count] = block
        self._hasher.update(block)
        self._count += count
        if (not count and len(view)) or (self._size is not None and self._count > self._size):
            self._check()
        return count

    def close(self) -> None:  # noqa: D102 - as in io.RawIOBase
        if not self.closed:
            self._stream.close()
        super().close()

    def _check(self) -> None:
        if self._size is not None and self._count != self._size:
            found = f"{'more than ' if self._count > self._size else ''}{min(self._count, self._size)} bytes"
            raise IntegrityError(f"there must be {self._size} bytes, not {found}", where=self._where, fix=_AGAIN)
        if self._hasher.hexdigest() != self._digest.hex:
            raise IntegrityError(
                f"its content is sha256:{self._hasher.hexdigest()}, not {self._digest}", where=self._where, fix=_AGAIN
            )


def checked(stream: BinaryIO, digest: Digest, size: int | None, where: str) -> io.BufferedReader:
    """A buffered `Checked` around a stream."""
    return io.BufferedReader(Checked(stream, digest, size, where), _BLOCK)


def open_plain(image: Image, number: int) -> BinaryIO:
    """The plain tar of a layer, whatever its encoding; blob digest, size and diff_id are checked at its end.

    Whoever doesn't read to the end (a tar ends before its stream does) must `drain` it to have it checked.

    Raises:
        IntegrityError: An unknown encoding, or (while reading) damaged content.
        InfrastructureError: It can't be had.
    """
    layer, diff_id = image.layers[number], image.diff_ids[number]
    where = f"{_named(layer, number)}, unpacked"
    stream = open_unpacked(image, number)
    if layer.media_type not in _PLAIN:
        return checked(stream, diff_id, None, where)
    if layer.digest != diff_id:
        stream.close()
        raise IntegrityError(f"it is {layer.digest}, not {diff_id}", where=where, fix=_AGAIN)
    return stream


def open_unpacked(image: Image, number: int) -> BinaryIO:
    """As `open_plain`, for whoever checks the diff_id: only the blob's digest and size are checked here."""
    layer = image.layers[number]
    where = _named(layer, number)
    unpack = _ENCODINGS.get(layer.media_type)
    if unpack is None:
        raise IntegrityError(f"a layer of an unknown kind: {layer.media_type}", where=where)
    blob = checked(image.open_layer(number), layer.digest, layer.size, where)
    return blob if layer.media_type in _PLAIN else io.BufferedReader(_Plain(blob, unpack(blob), where), _BLOCK)


def _named(layer: Descriptor, number: int) -> str:
    return f"layer {number} ({layer.digest})"


def unpacked(stream: io.BufferedReader) -> io.BufferedIOBase:
    """What a file holds, by its first bytes: gzip and zstd are decompressed, anything else comes as it is.

    Reading it raises `DAMAGED`.
    """
    return _BY_MAGIC.get(magic(stream.peek(_MAGIC)), _as_it_is)(stream)


def magic(start: bytes) -> str:
    """Which compression a file's first bytes show: "gzip", "zstd", or "" for none."""
    return next((name for sign, name in _SIGNS.items() if start.startswith(sign)), "")


def drain(stream: BinaryIO) -> None:
    """Read what is left, so that a checked stream is checked. Raises IntegrityError as its reading does."""
    while stream.read(_BLOCK):
        pass


def _zstd(blob: io.BufferedReader) -> io.BufferedIOBase:
    return zstd.ZstdFile(blob)


def _gzip(blob: io.BufferedReader) -> io.BufferedIOBase:
    return _gzip_file(fileobj=blob, mode="rb")


def _as_it_is(blob: io.BufferedReader) -> io.BufferedIOBase:
    return blob


_PLAIN = frozenset({LAYER, DOCKER_LAYER})
_ENCODINGS: dict[str, Callable[[io.BufferedReader], io.BufferedIOBase]] = {
    LAYER: _as_it_is,
    DOCKER_LAYER: _as_it_is,
    LAYER_GZIP: _gzip,
    DOCKER_LAYER_GZIP: _gzip,
    LAYER_ZSTD: _zstd,
    _DOCKER_LAYER_ZSTD: _zstd,
}
_SIGNS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BY_MAGIC = {"gzip": _gzip, "zstd": _zstd}
_MAGIC = 4


class _Plain(io.RawIOBase):
    """What a decompressor gives, with its errors as ours; at the end the blob is read to its own end, too."""

    def __init__(self, blob: io.BufferedReader, plain: io.BufferedIOBase, where: str) -> None:
        self._blob = blob
        self._plain = plain
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count = self._plain.readinto(buffer)
        except DAMAGED as error:
            drain(self._blob)  # a wrong digest says more than where the decompressor stumbled
            raise IntegrityError(f"can't be decompressed: {error}", where=self._where, fix=_AGAIN) from error
        if not count:
            drain(self._blob)
        return count

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
            self._blob.close()
        super().close()
