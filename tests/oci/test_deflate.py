"""The frozen encoder: every reader gets back what went in, and its bytes never change."""

import gzip
import subprocess
import zlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from repro.oci import deflate
from tests.oci import streams


def inflate(stream: bytes) -> bytes:
    """What zlib makes of a stream, which has to end where the bytes do."""
    inflater = zlib.decompressobj(-15)
    data = inflater.decompress(stream)
    assert inflater.eof
    assert not inflater.unused_data
    return data


@given(streams.contents)
@settings(deadline=None)
def test_any_bytes_come_back_from_zlib_and_isal(data: bytes) -> None:
    stream = deflate.encode(data)
    assert inflate(stream) == data
    assert isal_zlib.decompress(stream, -15) == data


@given(streams.contents)
@settings(deadline=None)
def test_any_bytes_come_back_from_a_gzip_member(data: bytes) -> None:
    assert gzip.decompress(deflate.member(data)) == data


@given(streams.contents)
@settings(deadline=None)
def test_nothing_grows_by_more_than_the_frame_of_stored_blocks(data: bytes) -> None:
    assert len(deflate.encode(data)) <= len(data) + 5 * (1 + len(data) // 65535)


def test_runs_of_zeros_of_every_length_come_back() -> None:
    for length in range(2200):
        data = b"a" + bytes(length) + b"b"
        assert inflate(deflate.encode(data)) == data


def test_every_byte_comes_back_as_a_literal() -> None:
    data = bytes(400) + bytes(range(256))
    stream = deflate.encode(data)
    assert stream[0] & 0b111 == 0b011
    assert inflate(stream) == data


def test_more_than_what_is_gathered_in_one_number_comes_back() -> None:
    data = b"".join(b"%d" % number + bytes(number % 50) for number in range(5000))
    assert inflate(deflate.encode(data)) == data


def test_data_with_nothing_to_gain_is_stored() -> None:
    data = bytes(range(144, 256)) * 1000
    stream = deflate.encode(data)
    assert len(stream) == len(data) + 2 * 5
    assert inflate(stream) == data


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=6))
@settings(deadline=None)
def test_stored_blocks_dont_depend_on_how_the_data_was_cut(data: bytes, cuts: list[int]) -> None:
    data *= 100
    edges = sorted({0, len(data), *(min(cut * 100, len(data)) for cut in cuts)})
    blocks = [data[start:end] for start, end in pairwise(edges)]
    stream = b"".join(deflate.stored(blocks, len(data)))
    assert stream == b"".join(deflate.stored([data], len(data)))
    assert inflate(stream) == data


def test_stored_blocks_are_as_long_as_they_can_be() -> None:
    for size in (0, 1, 65534, 65535, 65536, 131070, 131071):
        stream = b"".join(deflate.stored([bytes(size)] if size else [], size))
        assert len(stream) == size + 5 * max(1, -(-size // 65535))
        assert inflate(stream) == bytes(size)


def test_gnu_gzip_reads_members_one_after_another() -> None:
    foreign = streams.deflated(b"foreign" * 1000)
    end = deflate.member_end(zlib.crc32(b"foreign" * 1000), 7000)
    blob = deflate.member(b"first") + deflate.member_start() + foreign + end + deflate.member(bytes(1024))
    output = subprocess.run(["gzip", "-dc"], input=blob, capture_output=True, check=True).stdout
    assert output == b"first" + b"foreign" * 1000 + bytes(1024)


def test_the_size_of_a_member_is_kept_modulo_4_gib() -> None:
    assert deflate.member_end(1, 2**32 + 5) == b"\1\0\0\0\5\0\0\0"


def test_the_bytes_are_frozen() -> None:
    known = {
        b"": "0300",
        b"a": "4b0400",
        bytes(4): "63000200",
        bytes(300): "631805440300",
        b"ustar\x0000" + bytes(248): "2b2d2e492c6230306018a10000",
        "é".encode() + bytes(5): "3bbc92010400",
        b"\xff\xfe": "fbff0f00",
    }
    assert {data: deflate.encode(data).hex() for data in known} == known
    assert deflate.member(b"a").hex() == "1f8b08000000000000ff4b040043beb7e801000000"
