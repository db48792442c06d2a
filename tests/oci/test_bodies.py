"""Bodies: content that isn't what was promised never gets through whole, and is refused by name."""

import io
import os
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci import bodies
from repro.oci.bodies import FileBody, Inline, inflate_checked
from tests.oci import streams
from tests.oci.streams import Streamed, deflated, streamed

MIB = 1 << 20
DATA = b"import this  # and that\n" * 500
LIBRARIES = (isal_zlib, zlib)


@contextmanager
def using(library: ModuleType) -> Iterator[None]:
    """Inflate by this library, whichever would be chosen here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "_inflater", library.decompressobj)
        patch.setattr(bodies, "_errors", (library.error,))
        yield


@pytest.fixture(params=LIBRARIES, ids=["isal", "zlib"])
def _library(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


both_libraries = pytest.mark.usefixtures("_library")


def refused(blocks: Iterator[bytes], problem: str, where: str = "some.whl: member") -> int:
    """Bytes that came before the error, which must say what the problem is and where."""
    came: list[int] = []
    with pytest.raises(IntegrityError, match=problem) as caught:
        came.extend(map(len, blocks))
    assert caught.value.where == where
    return sum(came)


@given(streams.contents, st.integers(0, 9))
@settings(deadline=None)
def test_pairs_hold_the_stream_and_its_content(data: bytes, level: int) -> None:
    body = streamed(data, level)
    for library in LIBRARIES:
        with using(library):
            pairs = list(body.pairs())
        assert b"".join(block for block, _ in pairs) == body.stream
        assert b"".join(content for _, content in pairs) == data


@given(streams.contents, st.integers(0), st.integers(0, 7))
@settings(deadline=None)
def test_a_flipped_bit_never_changes_content_unnoticed(data: bytes, place: int, bit: int) -> None:
    body = streamed(data)
    stream = bytearray(body.stream)
    stream[place % len(stream)] ^= 1 << bit
    for library in LIBRARIES:
        with using(library):
            try:
                found = b"".join(replace(body, stream=bytes(stream)).plain())
            except IntegrityError:
                continue
            assert found == data


@both_libraries
def test_large_content_comes_in_blocks() -> None:
    data = os.urandom(MIB) + bytes(3 * MIB) + DATA
    pairs = list(streamed(data).pairs())
    assert b"".join(content for _, content in pairs) == data
    assert b"".join(block for block, _ in pairs) == deflated(data)
    assert max(len(part) for pair in pairs for part in pair) <= MIB


@both_libraries
def test_a_bomb_is_stopped_as_soon_as_it_has_expanded_too_far() -> None:
    bomb = deflated(bytes(64 * MIB), 9)
    body = Streamed(bomb, 5 * MIB, zlib.crc32(bytes(5 * MIB)))
    tracemalloc.start()
    came = refused(body.plain(), f"it expands to more than {5 * MIB} bytes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert came < 5 * MIB
    assert peak < 4 * MIB


@both_libraries
@pytest.mark.parametrize("size", [0, 1, len(DATA) - 1])
def test_content_longer_than_announced_is_refused(size: int) -> None:
    assert refused(replace(streamed(DATA), size=size).plain(), f"expands to more than {size} bytes") == 0


@both_libraries
def test_content_shorter_than_announced_is_refused() -> None:
    problem = f"expands to {len(DATA)} bytes instead of {len(DATA) + 1}"
    assert refused(replace(streamed(DATA), size=len(DATA) + 1).plain(), problem) == 0


@both_libraries
def test_a_truncated_stream_is_refused() -> None:
    body = streamed(DATA)
    problem = "deflate stream doesn't end where it should"
    refused(replace(body, stream=body.stream[:-1]).plain(), problem)
    refused(replace(body, stream=b"").plain(), problem)


@both_libraries
def test_bytes_after_the_end_of_the_stream_are_refused() -> None:
    body = streamed(DATA)
    problem = "deflate stream ends before its place does"
    refused(replace(body, stream=body.stream + b"\0").plain(), problem)
    refused(replace(body, stream=body.stream + bytes(MIB)).plain(), problem)
    refused(replace(body, stream=body.stream * 2).plain(), problem)


@both_libraries
def test_what_is_no_deflate_is_refused() -> None:
    refused(Streamed(b"\xff" * 20, 5, 0).plain(), "its deflate stream is corrupt")


@both_libraries
def test_another_crc_or_digest_is_refused_before_the_last_block() -> None:
    body = streamed(DATA)
    wrong_crc = replace(body, crc=body.crc ^ 1)
    wrong_digest = replace(body, sha256=Digest.of(b"other"))
    assert refused(wrong_crc.plain(), f"CRC-32 is {body.crc:08x} instead of {body.crc ^ 1:08x}") == 0
    assert refused(wrong_digest.plain(), f"sha256 is {Digest.of(DATA).hex} instead of {Digest.of(b'other').hex}") == 0


@both_libraries
def test_an_archive_that_ends_too_early_is_refused() -> None:
    body = streamed(DATA)
    read = io.BytesIO(body.stream[:10]).read
    pairs = inflate_checked(read, len(body.stream), body.size, body.crc, None, "x.whl")
    problem = f"{len(body.stream) - 10} of its {len(body.stream)} compressed bytes are missing"
    refused((content for _, content in pairs), problem, "x.whl")


@both_libraries
def test_a_reader_may_give_less_than_it_is_asked_for() -> None:
    body = streamed(DATA)
    source = io.BytesIO(body.stream)
    pairs = inflate_checked(
        lambda size: source.read(min(size, 7)), len(body.stream), body.size, body.crc, None, "x.whl"
    )
    assert b"".join(content for _, content in pairs) == DATA


@both_libraries
def test_nothing_after_the_stream_is_read() -> None:
    body = streamed(DATA)
    source = io.BytesIO(body.stream + b"the next member")
    list(inflate_checked(source.read, len(body.stream), body.size, body.crc, body.sha256, "x.whl"))
    assert source.read() == b"the next member"


def test_content_in_memory_knows_its_size_and_digest() -> None:
    body = Inline(DATA)
    assert (body.size, body.sha256, body.deflated) == (len(DATA), Digest.of(DATA), None)
    assert b"".join(body.plain()) == DATA


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB])
def test_a_file_comes_in_blocks(tmp_path: Path, size: int) -> None:
    data = (DATA * (1 + size // len(DATA)))[:size]
    path = tmp_path / "data"
    path.write_bytes(data)
    body = FileBody(path, size, Digest.of(data), "data.csv")
    assert b"".join(body.plain()) == data
    assert b"".join(body.plain()) == data
    assert body.deflated is None


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (bytes(2 * MIB - 1), "it is shorter"),
        (bytes(2 * MIB + 1), "it is longer"),
        (bytes(2 * MIB - 1) + b"1", f"its sha256 is {Digest.of(bytes(2 * MIB - 1) + b'1').hex}"),
        (b"", "it is shorter"),
    ],
)
def test_a_changed_file_is_refused_before_its_last_block(tmp_path: Path, now: bytes, problem: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(now)
    body = FileBody(path, 2 * MIB, Digest.of(bytes(2 * MIB)), "data.csv")
    assert refused(body.plain(), problem, "data.csv") < min(2 * MIB, len(now) + 1)


def test_a_file_that_is_gone_is_refused_by_name(tmp_path: Path) -> None:
    body = FileBody(tmp_path / "gone", 1, Digest.of(b"1"), "data.csv")
    assert refused(body.plain(), "can't be read: No such file", "data.csv") == 0


@pytest.mark.parametrize("body", [Inline(b""), FileBody(Path("x"), 0, Digest.of(b""), "x")])
def test_without_a_deflate_stream_there_are_no_pairs(body: Inline | FileBody) -> None:
    with pytest.raises(TypeError, match="there is no deflate stream"):
        body.pairs()
