"""Streams that check themselves, in every encoding that layers come in."""

import gzip
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import DOCKER_LAYER, DOCKER_LAYER_GZIP, LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor
from repro.oci.sources import SourceImage
from repro.oci.streams import checked, drain, open_plain, unpacked
from tests.oci.forged import Forged, forge, layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = bytes(range(256)) * 9000
PLAIN = layer({"data": DATA})


def members(data: bytes) -> bytes:
    """Gzip of many members, an empty one among them, as splicing makes it."""
    blocks = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]
    return b"".join(gzip.compress(block, mtime=0) for block in (b"", *blocks))


def frames(data: bytes) -> bytes:
    return zstd.compress(data[:5000]) + zstd.compress(data[5000:])


def encoded(kind: str, pack: Callable[[bytes], bytes], plain: bytes = PLAIN) -> Forged:
    image, blob = forge(plain, packed=False), pack(plain)
    return replace(image, layers=(Descriptor(kind, Digest.of(blob), len(blob)),), blobs=(blob,))


ENCODINGS = [
    (LAYER, bytes),
    (DOCKER_LAYER, bytes),
    (LAYER_GZIP, gzip.compress),
    (LAYER_GZIP, members),
    (DOCKER_LAYER_GZIP, gzip.compress),
    (LAYER_ZSTD, zstd.compress),
    (LAYER_ZSTD, frames),
]


@pytest.mark.parametrize(("kind", "pack"), ENCODINGS)
def test_every_encoding_gives_the_plain_layer(kind: str, pack: Callable[[bytes], bytes]) -> None:
    with open_plain(encoded(kind, pack), 0) as stream:
        assert stream.read() == PLAIN


@pytest.mark.parametrize(("kind", "pack"), ENCODINGS)
def test_a_blob_that_is_changed_cut_off_or_longer_is_found_out(kind: str, pack: Callable[[bytes], bytes]) -> None:
    image = encoded(kind, pack)
    (blob,) = image.blobs
    middle = len(blob) // 2
    changed = blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]
    for wrong in (changed, blob[:-1], blob[:20], b"", blob + b"\0", blob + blob):
        with pytest.raises(IntegrityError, match=r"content is|there must be") as caught:
            read(image.with_blob(0, wrong))
        assert str(image.layers[0].digest) in str(caught.value.where)


def read(image: Forged) -> bytes:
    with open_plain(image, 0) as stream:
        return stream.read()


@pytest.mark.parametrize(("kind", "pack"), ENCODINGS)
def test_a_sound_blob_with_another_diff_id_is_found_out(kind: str, pack: Callable[[bytes], bytes]) -> None:
    image = replace(encoded(kind, pack), diff_ids=(Digest.of(b"else"),))
    with pytest.raises(IntegrityError, match=f"not {Digest.of(b'else')}") as caught:
        read(image)
    assert "unpacked" in str(caught.value.where)


def test_content_that_is_as_stated_but_no_gzip_is_named() -> None:
    image = encoded(LAYER_GZIP, lambda plain: gzip.compress(plain)[:-9])
    with pytest.raises(IntegrityError, match="can't be decompressed"):
        read(image)
    with pytest.raises(IntegrityError, match="can't be decompressed"):
        read(encoded(LAYER_ZSTD, lambda plain: zstd.compress(plain)[:-9]))


def test_an_unknown_kind_of_layer_is_refused_before_it_is_opened() -> None:
    image = encoded("application/vnd.in-toto+json", bytes)
    with pytest.raises(IntegrityError, match=r"unknown kind: application/vnd\.in-toto"):
        open_plain(image, 0)
    assert not image.opened


def test_who_stops_early_and_drains_has_it_checked() -> None:
    image = encoded(LAYER_GZIP, gzip.compress)
    with open_plain(image, 0) as stream:
        stream.read(10)
        drain(stream)
    changed = image.with_blob(0, image.blobs[0][:-1])
    with open_plain(changed, 0) as stream, pytest.raises(IntegrityError):
        drain(stream)


def test_more_than_the_size_is_refused_without_reading_on() -> None:
    class Endless(io.RawIOBase, BinaryIO):  # type: ignore[misc] # as io.FileIO does
        taken = 0
        mode, name = "rb", "endless"

        def read(self, size: int = -1) -> bytes:
            self.taken += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(IntegrityError, match="there must be 10 bytes, not more than 10"):
        checked(stream, Digest.of(b"x" * 10), 10, "here").read()
    assert stream.taken <= 1 << 21


def test_errors_of_the_source_come_through_and_it_is_closed() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise InfrastructureError("gone")

    source = Broken()
    with pytest.raises(InfrastructureError, match="gone"), checked(source, Digest.of(b""), None, "here") as stream:
        stream.read()
    assert source.closed


@pytest.mark.parametrize(("kind", "pack"), ENCODINGS)
def test_closing_a_plain_stream_closes_the_blob(kind: str, pack: Callable[[bytes], bytes]) -> None:
    image = encoded(kind, pack)
    blob = io.BytesIO(image.blobs[0])
    source = SourceImage(
        image.manifest, image.config, image.layers, image.diff_ids, image.platform, opener=lambda _: blob
    )
    open_plain(source, 0).close()
    assert blob.closed


@pytest.mark.parametrize("pack", [bytes, gzip.compress, members, zstd.compress, frames])
def test_a_file_is_unpacked_by_its_first_bytes(pack: Callable[[bytes], bytes]) -> None:
    assert unpacked(io.BufferedReader(io.BytesIO(pack(PLAIN)))).read() == PLAIN  # type: ignore[arg-type]
