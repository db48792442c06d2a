"""From the entries of a layer to its blob, in the encodings that docs/formats/image.md defines.

`splice` and `tar` need no compressor, so their digests follow from the entries alone.
"""

import hashlib
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from repro.digest import Digest
from repro.lock import Encoding
from repro.oci import tar
from repro.oci.deflate import crc32, member, member_end, member_start, stored
from repro.oci.entry import Body, Deflated, Entry
from repro.oci.image import LAYER, LAYER_GZIP, LAYER_ZSTD

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT = 1
"""Version of the bytes that `write_layer` makes; docs/formats/image.md has its history."""

MEDIA_TYPES: dict[Encoding, str] = {"splice": LAYER_GZIP, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "tar": LAYER}
"""What a layer is called in each encoding (image-spec, layer.md)."""

_BATCH = 1 << 17
"""Small pieces are joined up to this many bytes: one call each of hashing and writing, within the caches."""
_SMALL = 1 << 16
"""A larger body without a deflate stream gets a member of its own, and no member of frames grows much larger."""
_GAIN = 40
"""Bytes that a spliced stream must save: a member of its own, and one more for what follows, cost nearly as much."""
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
_RAW = -15


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer as it was written.

    Attributes:
        diff_id: Digest of the plain tar (image-spec, config.md).
        digest: Digest of the blob.
        size: Bytes of the blob.
        tar_size: Bytes of the plain tar.
        media_type: What the blob is (image-spec, layer.md).
    """

    diff_id: Digest
    digest: Digest
    size: int
    tar_size: int
    media_type: str


class Hashed:
    """Pieces on their way to `write`, hashed and counted; small ones travel together."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._hasher = hashlib.sha256()
        self._parts: list[bytes] = []
        self._waiting = 0
        self._passed = 0

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        if len(piece) >= _BATCH:
            self.flush()
            self._pass(piece)
            return
        self._parts.append(piece)
        self._waiting += len(piece)
        if self._waiting >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Pass on what has gathered."""
        if self._parts:
            block = b"".join(self._parts)
            self._parts.clear()
            self._waiting = 0
            self._pass(block)

    def _pass(self, block: bytes) -> None:
        self._hasher.update(block)
        self._passed += len(block)
        self._write(block)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._passed + self._waiting

    @property
    def digest(self) -> Digest:
        """Digest of everything, after `flush`."""
        return Digest(self._hasher.hexdigest())


class _Counted:
    """Stands for pieces that nobody hashes: only their number of bytes is known."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def reproducible(encoding: Encoding) -> bool:
    """Whether the blob's digest is the same wherever it is made, whatever compressors are installed there."""
    return encoding in {"splice", "tar"}


def compressor(encoding: Encoding) -> str:
    """What else decides a blob's bytes, beside the entries: a version, or "" where nothing does."""
    match encoding:
        case "gzip":
            return zlib.ZLIB_RUNTIME_VERSION
        case "zstd":
            return ".".join(map(str, zstd.zstd_version_info))
        case _:
            return ""


def write_layer(entries: Sequence[Entry], encoding: Encoding, write: Callable[[bytes], object]) -> LayerBlob:
    """Write a layer's blob, block by block, in bounded memory.

    Args:
        entries: What it holds, as `repro.oci.tree.complete` gives it.
        encoding: How it is compressed.
        write: Takes the blob's bytes in order.

    Raises:
        IntegrityError: A body isn't what was promised; what was written so far is worthless then.
    """
    match encoding:
        case "splice":
            return _spliced(entries, write)
        case "gzip":
            return _compressed(entries, _Gzip(), LAYER_GZIP, write)
        case "zstd":
            return _compressed(entries, _zstd(tar.length(entries)), LAYER_ZSTD, write)
        case "tar":
            return _plain(entries, write)


def splice_unread(entries: Sequence[Entry], diff_id: Digest, write: Callable[[bytes], object]) -> LayerBlob:
    """Write a spliced layer's blob without unpacking a stream: several times as fast as `write_layer`.

    Nothing is known of the streams' content then, so the layer is only worth something to whoever knows which digest
    it must have, from a time when all was unpacked; its bytes are those of `write_layer`, and so is its digest.

    Args:
        entries: As for `write_layer`.
        diff_id: What the plain tar's digest was then; returned as it is.
        write: As for `write_layer`.

    Raises:
        IntegrityError: A body that has to be read isn't what was promised.
    """
    splicer = _Splicer(write, plain=_Counted())
    size = _splice(entries, splicer)
    splicer.blob.flush()
    return LayerBlob(diff_id, splicer.blob.digest, splicer.blob.size, size, LAYER_GZIP)


def _plain(entries: Sequence[Entry], write: Callable[[bytes], object]) -> LayerBlob:
    blob = Hashed(write)
    for piece in tar.stream(entries):
        blob.add(piece)
    return _done(blob, blob, LAYER)


def _compressed(
    entries: Sequence[Entry], compressor: _Compressor, media_type: str, write: Callable[[bytes], object]
) -> LayerBlob:
    blob = Hashed(write)
    plain = Hashed(lambda block: blob.add(compressor.compress(block)))
    for piece in tar.stream(entries):
        plain.add(piece)
    plain.flush()
    blob.add(compressor.flush())
    return _done(plain, blob, media_type)


def _spliced(entries: Sequence[Entry], write: Callable[[bytes], object]) -> LayerBlob:
    plain = Hashed(_forget)
    splicer = _Splicer(write, plain)
    _splice(entries, splicer)
    return _done(plain, splicer.blob, LAYER_GZIP)


def _splice(entries: Sequence[Entry], splicer: "_Splicer") -> int:
    """Put entries through a splicer; returns the bytes of the plain tar."""
    for entry in entries:
        splicer.frame(tar.header(entry))
        if entry.body is not None:
            splicer.body(entry, entry.body)
            splicer.frame(tar.padding(entry.body.size))
    splicer.frame(tar.END)
    splicer.end_member()
    return splicer.plain.size


def _done(plain: Hashed, blob: Hashed, media_type: str) -> LayerBlob:
    plain.flush()
    blob.flush()
    return LayerBlob(plain.digest, blob.digest, blob.size, plain.size, media_type)


class _Splicer:
    """Members of frozen bytes (headers, padding, small files) between members that are foreign deflate streams.

    Streams are only unpacked for a `plain` that is `Hashed`.
    """

    def __init__(self, write: Callable[[bytes], object], plain: Hashed | _Counted) -> None:
        self.plain = plain
        self.blob = Hashed(write)
        self._frames: list[bytes] = []
        self._framed = 0

    def frame(self, piece: bytes) -> None:
        """Take bytes that the frozen encoder encodes."""
        self.plain.add(piece)
        self._frames.append(piece)
        self._framed += len(piece)
        if self._framed >= _SMALL:
            self.end_member()

    def end_member(self) -> None:
        """Write the frozen member that has gathered."""
        if self._framed:
            self.blob.add(member(b"".join(self._frames)))
            self._frames.clear()
            self._framed = 0

    def body(self, entry: Entry, body: Body) -> None:
        """Take a file's content, the way that suits it."""
        deflated = body.deflated
        if deflated is not None and _worthwhile(body, deflated):
            self._splice(entry, body, deflated)
        elif body.size <= _SMALL:
            self._small(b"".join(tar.exactly(entry, body.plain())))
        else:
            self._store(tar.exactly(entry, body.plain()), body.size)

    def _splice(self, entry: Entry, body: Body, deflated: Deflated) -> None:
        self.end_member()
        self.blob.add(member_start())
        if isinstance(self.plain, _Counted):
            for block in body.compressed():
                self.blob.add(block)
            self.plain.size += body.size
        else:
            for content in tar.exactly(entry, _contents(body, self.blob)):
                self.plain.add(content)
        self.blob.add(member_end(deflated.crc, body.size))

    def _small(self, data: bytes) -> None:
        if data.isascii():
            self.frame(data)
        else:
            self._store([data], len(data))

    def _store(self, blocks: Iterable[bytes], size: int) -> None:
        self.end_member()
        self.blob.add(member_start())
        crc = _Crc()
        for piece in stored(self._taken(blocks, crc), size):
            self.blob.add(piece)
        self.blob.add(member_end(crc.value, size))

    def _taken(self, blocks: Iterable[bytes], crc: "_Crc") -> Iterator[bytes]:
        for block in blocks:
            self.plain.add(block)
            crc.add(block)
            yield block


class _Crc:
    """CRC-32 of what goes by."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, block: bytes) -> None:
        self.value = crc32(block, self.value)


class _Gzip:
    """One gzip member by the zlib that is installed, with the frozen frame around it."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _RAW)
        self._start = member_start()
        self._crc = _Crc()
        self._size = 0

    def compress(self, data: bytes, /) -> bytes:
        start, self._start = self._start, b""
        self._crc.add(data)
        self._size += len(data)
        return start + self._deflate.compress(data)

    def flush(self) -> bytes:
        return self._deflate.flush() + member_end(self._crc.value, self._size)


def _zstd(size: int) -> _Compressor:
    """A compressor to one zstd frame that says its content's size; a checksum would only repeat the digest."""
    parameters = zstd.CompressionParameter
    compressor = zstd.ZstdCompressor(options={parameters.compression_level: _ZSTD_LEVEL, parameters.checksum_flag: 0})
    compressor.set_pledged_input_size(size)
    return compressor


def _contents(body: Body, blob: Hashed) -> Iterator[bytes]:
    for block, content in body.pairs():
        blob.add(block)
        yield content


def _worthwhile(body: Body, deflated: Deflated) -> bool:
    return body.size > _SMALL or body.size - deflated.size >= _GAIN


def _forget(_block: bytes) -> None:
    pass
