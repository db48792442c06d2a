"""Layer blobs: whatever the encoding, they hold the same tar; spliced and plain ones never change by a byte."""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import Encoding
from repro.oci import encodings, tar
from repro.oci.encodings import LayerBlob, splice_unread, write_layer
from repro.oci.entry import Entry
from repro.oci.image import LAYER, LAYER_GZIP, LAYER_ZSTD
from repro.oci.tree import complete
from tests.oci import streams
from tests.oci.streams import Streamed, directory, file, hard_link, link, streamed

MIB = 1 << 20
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
FOREIGN = Streamed(
    bytes.fromhex("edc4b10d00000400b06b19498cae7786a51d9ad31b95b66ddbb66ddbb66ddbb66ddbb66ddbb66dbf7e"),
    12000,
    zlib.crc32(b"frozen" * 2000),
)
"""A stream as some archive has it; made once, since zlib's output may change."""


@dataclass(frozen=True)
class Large:
    """Content far larger than what may be in memory."""

    megabytes: int
    sha256: None = None
    deflated: None = None

    @property
    def size(self) -> int:
        return self.megabytes * MIB

    def plain(self) -> Iterator[bytes]:
        return (bytes([number % 256]) * MIB for number in range(self.megabytes))

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        raise NotImplementedError

    def compressed(self) -> Iterator[bytes]:
        raise NotImplementedError


def written(entries: Sequence[Entry], encoding: Encoding) -> tuple[bytes, LayerBlob]:
    blocks: list[bytes] = []
    layer = write_layer(entries, encoding, blocks.append)
    return b"".join(blocks), layer


def plain(entries: Sequence[Entry]) -> bytes:
    return b"".join(tar.stream(entries))


def golden() -> list[Entry]:
    """Every way that bytes can enter a layer."""
    return complete(
        [
            directory("etc", 0o700),
            file("etc/empty"),
            file("etc/text", b"text\n" * 100, 0o755),
            file("etc/text-2", b"text\n" * 8000),
            file("etc/text-3", b"text\n" * 8000),
            file("etc/binary", bytes(range(256)) * 8),
            file("etc/large", bytes(range(256)) * 700),
            file("etc/zeros", bytes(5000)),
            file("etc/" + "long" * 40),
            file("etc/é/日本", "ümlaut".encode()),
            Entry("lib/foreign", "file", 0o644, FOREIGN, origin="a.whl"),
            Entry("lib/tiny", "file", 0o644, streamed(b"tiny", 9), origin="a.whl"),
            link("bin", "usr/bin"),
            link("far", "../" * 50),
            hard_link("again", "etc/text"),
            file("setuid", b"\x7fELF", 0o4755),
        ]
    )


@given(streams.trees, st.sampled_from(ENCODINGS))
@settings(deadline=None)
def test_any_tree_comes_back_from_any_encoding(entries: list[Entry], encoding: Encoding) -> None:
    whole = complete(entries)
    blob, layer = written(whole, encoding)
    expected = plain(whole)
    assert decoded(blob, encoding) == expected
    assert (layer.digest, layer.size) == (Digest.of(blob), len(blob))
    assert (layer.diff_id, layer.tar_size) == (Digest.of(expected), len(expected))


@given(streams.trees)
@settings(deadline=None)
def test_a_layer_that_is_not_unpacked_is_the_same_blob(entries: list[Entry]) -> None:
    whole = complete(entries)
    blob, layer = written(whole, "splice")
    blocks: list[bytes] = []
    assert splice_unread(whole, layer.diff_id, blocks.append) == layer
    assert b"".join(blocks) == blob


def decoded(blob: bytes, encoding: Encoding) -> bytes:
    match encoding:
        case "splice" | "gzip":
            return gzip.GzipFile(fileobj=io.BytesIO(blob)).read()
        case "zstd":
            return encodings.zstd.decompress(blob)
        case "tar":
            return blob


@given(streams.trees)
@settings(deadline=None, max_examples=25)
def test_gnu_gzip_reads_spliced_layers(entries: list[Entry]) -> None:
    whole = complete(entries)
    blob, _ = written(whole, "splice")
    assert subprocess.run(["gzip", "-dc"], input=blob, capture_output=True, check=True).stdout == plain(whole)


def test_gnu_tar_reads_spliced_layers() -> None:
    blob, _ = written(golden(), "splice")
    listed = subprocess.run(
        ["tar", "-tzf", "-", "--quoting-style=literal"], input=blob, capture_output=True, check=True
    )
    assert [name.rstrip("/") for name in listed.stdout.decode().splitlines()] == [entry.path for entry in golden()]


def test_single_member_gzip_is_read_by_readers_that_stop_at_the_first() -> None:
    blob, _ = written(golden(), "gzip")
    inflater = zlib.decompressobj(31)
    assert inflater.decompress(blob) == plain(golden())
    assert inflater.eof
    assert not inflater.unused_data
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r|gz") as read:
        assert read.getnames() == [entry.path for entry in golden()]


def test_gzip_frames_are_those_of_the_frozen_encoder() -> None:
    for encoding in ("splice", "gzip"):
        blob, _ = written(golden(), encoding)
        assert blob[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_zstd_says_the_content_size_and_carries_no_checksum() -> None:
    blob, layer = written(golden(), "zstd")
    info = encodings.zstd.get_frame_info(blob)
    assert info.decompressed_size == layer.tar_size
    checksum_flag = blob[4] & 0b100  # RFC 8878, section 3.1.1.1.1.5
    assert not checksum_flag


def test_media_types_are_those_of_the_image_specification() -> None:
    found = {encoding: written([], encoding)[1].media_type for encoding in ENCODINGS}
    assert found == {"splice": LAYER_GZIP, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "tar": LAYER}


def test_only_encodings_without_a_compressor_are_reproducible() -> None:
    assert [encoding for encoding in ENCODINGS if encodings.reproducible(encoding)] == ["splice", "tar"]


def test_foreign_streams_are_spliced_byte_for_byte() -> None:
    data = os.urandom(3 * MIB)
    body = streamed(data)
    blob, _ = written(complete([Entry("x", "file", 0o644, body)]), "splice")
    assert body.stream in blob
    assert len(blob) < len(body.stream) + 250


def test_small_files_share_the_member_of_the_headers_around_them() -> None:
    blob, _ = written(complete([file(f"f{number}", b"text" * number) for number in range(50)]), "splice")
    assert blob.count(b"\x1f\x8b\x08\0\0\0\0\0\0\xff") == 1


def test_streams_that_save_nothing_are_not_spliced() -> None:
    body = streamed(b"tiny")
    blob, _ = written(complete([Entry("x", "file", 0o644, body)]), "splice")
    assert body.stream not in blob


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("data", [b"tiny", b"larger" * 5000, bytes(range(256)) * 1000])
def test_a_damaged_body_is_refused_in_every_encoding(encoding: Encoding, data: bytes) -> None:
    body = replace(streamed(data), crc=1)
    with pytest.raises(IntegrityError, match="CRC-32"):
        written(complete([Entry("x", "file", 0o644, body)]), encoding)


@dataclass(frozen=True)
class Lying(Streamed):
    """A deflate stream of other content than announced, by a source that doesn't check it."""

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        yield self.stream, b"x" * 100_000


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_of_another_size_is_refused_by_name(encoding: Encoding) -> None:
    for size in (99_999, 100_001):
        entry = Entry("pkg/x", "file", 0o644, Lying(streams.deflated(b"x" * 100_000), size, 0), origin="a.whl")
        with pytest.raises(IntegrityError, match=f"a.whl: pkg/x: .*another size than the {size} bytes"):
            written([entry], encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_large_file_never_is_in_memory_as_a_whole(encoding: Encoding) -> None:
    entries = complete([Entry("large", "file", 0o644, Large(48))])
    tracemalloc.start()
    layer = write_layer(entries, encoding, len)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert layer.tar_size > 48 * MIB
    assert peak < 8 * MIB


def test_spliced_and_plain_layers_are_frozen() -> None:
    spliced, plain_layer = written(golden(), "splice")[1], written(golden(), "tar")[1]
    assert encodings.FORMAT == 1
    assert spliced == LayerBlob(
        diff_id=Digest("89a55724a89ca2fcca9ee7552afc310557d4dbdded1fc8f04b2473a852e56eba"),
        digest=Digest("354721ff480cfa04f55c14f9e0c03eb6ef0a2c701c583e3972297c5d6befe527"),
        size=264516,
        tar_size=295936,
        media_type=LAYER_GZIP,
    )
    assert plain_layer == LayerBlob(spliced.diff_id, spliced.diff_id, spliced.tar_size, spliced.tar_size, LAYER)


def test_the_same_bytes_come_out_without_isal_and_elsewhere(tmp_path: Path) -> None:
    """Another hash seed, locale, time zone and umask, and no isal: what a bare installation has."""
    script = (
        "import sys, os; sys.modules['isal'] = None; os.umask(0o077);"
        "from tests.oci.test_encodings import golden, written; from repro.oci import bodies, deflate; import zlib;"
        "assert deflate.crc32 is zlib.crc32 and bodies._inflater is zlib.decompressobj;"
        "print(written(golden(), 'splice')[1].digest)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(written(golden(), "splice")[1].digest)
