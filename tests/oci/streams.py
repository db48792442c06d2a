"""Bodies that bring a deflate stream of their own, and trees of odd names."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from repro.digest import Digest
from repro.oci.bodies import Inline, inflate_checked
from repro.oci.entry import Deflated, Entry


@dataclass(frozen=True)
class Streamed:
    """Content that some archive has as a deflate stream."""

    stream: bytes
    size: int
    crc: int
    sha256: Digest | None = None

    @property
    def deflated(self) -> Deflated:
        return Deflated(len(self.stream), self.crc)

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        read = io.BytesIO(self.stream).read
        return inflate_checked(read, len(self.stream), self.size, self.crc, self.sha256, "some.whl: member")

    def compressed(self) -> Iterator[bytes]:
        return iter((self.stream[:7], self.stream[7:]))

    def plain(self) -> Iterator[bytes]:
        return (content for _, content in self.pairs())


def deflated(data: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def streamed(data: bytes, level: int = 6) -> Streamed:
    return Streamed(deflated(data, level), len(data), zlib.crc32(data), Digest.of(data))


def file(path: str, data: bytes = b"", mode: int = 0o644, origin: str = "a.whl") -> Entry:
    return Entry(path, "file", mode, Inline(data), origin=origin)


def directory(path: str, mode: int = 0o755, origin: str = "a.whl") -> Entry:
    return Entry(path, "directory", mode, origin=origin)


def link(path: str, target: str, origin: str = "a.whl") -> Entry:
    return Entry(path, "symlink", 0o777, target=target, origin=origin)


def hard_link(path: str, target: str, origin: str = "a.whl") -> Entry:
    return Entry(path, "hardlink", 0o777, target=target, origin=origin)


contents = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(st.binary(max_size=20), st.integers(0, 1200).map(bytes)), max_size=8).map(b"".join),
    st.builds(lambda unit, count: unit * count, st.binary(min_size=1, max_size=9), st.integers(0, 20000)),
)
"""Noise, noise with runs of zeros, and long repetitions."""

_parts = st.one_of(
    st.sampled_from(["a", "a-b", "a.b", "é", "日本", "\x7f\n ", "\\", "…" * 30]),
    st.integers(1, 120).map(lambda length: "n" * length),
)
_paths = st.lists(_parts, min_size=1, max_size=5).map("/".join)
_bodies = st.one_of(contents.map(Inline), st.builds(streamed, contents, st.integers(0, 9)))
_modes = st.sampled_from([0o644, 0o755, 0o600, 0o4755])
_files = st.builds(lambda path, mode, body: Entry(path, "file", mode, body, origin="a.whl"), _paths, _modes, _bodies)
_others = st.one_of(st.builds(directory, _paths, _modes), st.builds(link, _paths, _paths.map("../".__add__)))


def _possible(entries: list[Entry]) -> list[Entry]:
    """The first entry of each path, but for those below what is no directory; each file with a hard link to it."""
    kept = {entry.path: entry for entry in reversed(entries)}
    blocked = [f"{path}/" for path, entry in kept.items() if entry.kind != "directory"]
    chosen = [entry for entry in kept.values() if not entry.path.startswith(tuple(blocked))]
    links = [hard_link(f"zz/{entry.path}", entry.path) for entry in chosen if entry.kind == "file"][:2]
    return chosen + links


trees = st.lists(st.one_of(_files, _others), max_size=8).map(_possible)
"""Entries that go together in one layer, in any order."""
