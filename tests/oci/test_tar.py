"""Tar headers: what tarfile and GNU tar read back, at the edges of what USTAR holds."""

import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings

from repro.errors import IntegrityError
from repro.oci import tar
from repro.oci.bodies import Inline
from repro.oci.entry import Entry
from repro.oci.tree import complete
from tests.oci import streams
from tests.oci.streams import directory, file, hard_link, link

GIB = 1 << 30
KINDS = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink"}


@dataclass(frozen=True)
class Announced(Inline):
    """A body that doesn't have the size it says."""

    announced: int = 0

    @property
    def size(self) -> int:
        return self.announced


def plain(entries: Sequence[Entry]) -> bytes:
    return b"".join(tar.stream(entries))


def read_back(archive: bytes) -> Iterator[tuple[str, str, int, str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as read:
        for member in read:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (tar.MTIME, 0, 0, "", "")
            content = read.extractfile(member) if member.isreg() else None
            yield member.name, KINDS[member.type], member.mode, member.linkname, content.read() if content else b""


def given_in(entries: Sequence[Entry]) -> list[tuple[str, str, int, str, bytes]]:
    return [(e.path, e.kind, e.mode, e.target, b"".join(e.body.plain()) if e.body else b"") for e in entries]


@given(streams.trees)
@settings(deadline=None)
def test_tarfile_reads_back_any_tree(entries: list[Entry]) -> None:
    whole = complete(entries)
    assert list(read_back(plain(whole))) == given_in(whole)
    assert tar.length(whole) == len(plain(whole))


@pytest.mark.parametrize("length", [1, 99, 100, 101, 154, 155, 156, 255, 256, 257, 5000])
@pytest.mark.parametrize("kind", [file, directory])
def test_names_of_every_length_come_back(kind: object, length: int) -> None:
    build = file if kind is file else directory
    for part in (length, 50, 90):
        path = "/".join("d" * part for _ in range(-(-length // (part + 1))))[:length].rstrip("/")
        assert [found[0] for found in read_back(plain([build(path)]))] == [path]


def test_what_ustar_holds_needs_no_pax_header() -> None:
    longest = f"{'p' * 155}/{'n' * 100}"
    assert len(tar.header(file(longest))) == 512
    assert len(tar.header(file("n" * 100))) == 512
    assert len(tar.header(directory("n" * 99))) == 512
    assert len(tar.header(link("a", "t" * 100))) == 512
    assert len(tar.header(file(f"{longest}n"))) == 3 * 512
    assert len(tar.header(file("n" * 101))) == 3 * 512
    assert len(tar.header(directory("n" * 100))) == 3 * 512
    assert len(tar.header(link("a", "t" * 101))) == 3 * 512


def test_a_pax_header_says_everything_in_sorted_records_under_one_fixed_name() -> None:
    path, target = "é" * 60, "ü" * 60
    block = tar.header(Entry(path, "symlink", 0o777, target=target))
    name, records = block[:100].rstrip(b"\0"), block[512:1024].rstrip(b"\0")
    assert name == b"././@PaxHeader"
    assert block[156:157] == b"x"
    assert records == f"134 linkpath={target}\n130 path={path}\n".encode()
    assert block[1024 : 1024 + 100] == b"?" * 60 + bytes(40)


@pytest.mark.parametrize("size", [8 * GIB - 1, 8 * GIB, 300 * GIB])
def test_sizes_from_8_gib_on_come_back(size: int) -> None:
    entry = Entry("big", "file", 0o644, Announced(b"", size))
    header = tar.header(entry)
    assert len(header) == (512 if size < 8 * GIB else 3 * 512)
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024))) as read:
        found = read.next()
        assert found is not None
        assert found.size == size
    assert tar.length([entry]) == len(header) + -(-size // 512) * 512 + 1024


def test_an_ordinary_header_is_the_one_that_tarfile_writes() -> None:
    info = tarfile.TarInfo(f"{'p' * 120}/{'q' * 20}/{'n' * 70}")
    info.mode, info.size, info.mtime = 0o755, 1234, tar.MTIME
    entry = Entry(info.name, "file", 0o755, Announced(b"", 1234))
    assert tar.header(entry) == info.tobuf(tarfile.USTAR_FORMAT)


def test_gnu_tar_lists_odd_names_and_links() -> None:
    longest, name = f"{'p' * 155}/{'n' * 100}", "日本/…"
    tree = complete(
        [
            file(longest, b"12345", 0o755),
            file(name),
            file("l" * 300),
            file("b\\s"),
            link("a" * 100, "t" * 101),
            link("b", "../ü"),
            hard_link("h", longest),
            file("su", b"", 0o4755),
        ]
    )
    command = ["tar", "--numeric-owner", "--quoting-style=literal", "--full-time", "--utc", "-tvf", "-"]
    listed = subprocess.run(command, input=plain(tree), capture_output=True, check=True)
    assert listed.stderr == b""
    time = "1980-01-01 00:00:00"
    lines = [line.split(" 0/0 ")[0] + line.split(time)[1] for line in listed.stdout.decode().splitlines()]
    assert lines == [
        f"lrwxrwxrwx {'a' * 100} -> {'t' * 101}",
        "lrwxrwxrwx b -> ../ü",
        "-rw-r--r-- b\\s",
        f"-rw-r--r-- {'l' * 300}",
        f"drwxr-xr-x {'p' * 155}/",
        f"-rwxr-xr-x {longest}",
        "-rwsr-xr-x su",
        "drwxr-xr-x 日本/",
        f"-rw-r--r-- {name}",
        f"hrwxr-xr-x h link to {longest}",
    ]


def test_gnu_tar_unpacks_what_was_given(tmp_path: Path) -> None:
    tree = complete([file("d/é" + "x" * 120, b"data" * 1000), hard_link("z", "d/é" + "x" * 120), directory("e", 0o700)])
    subprocess.run(["tar", "-xf", "-", "-C", str(tmp_path)], input=plain(tree), check=True)
    assert (tmp_path / "z").read_bytes() == b"data" * 1000
    assert (tmp_path / "z").samefile(tmp_path / ("d/é" + "x" * 120))
    assert (tmp_path / "e").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("announced", [3, 5])
def test_a_body_of_another_size_is_refused_by_name(announced: int) -> None:
    with pytest.raises(IntegrityError, match=f"a.whl: pkg/x: .*another size than the {announced} bytes"):
        plain([Entry("pkg/x", "file", 0o644, Announced(b"1234", announced), origin="a.whl")])


def test_padding_fills_the_last_block() -> None:
    assert [len(tar.padding(size)) for size in (0, 1, 511, 512, 513)] == [0, 511, 1, 0, 511]


def test_the_bytes_are_frozen() -> None:
    tree = complete([file("a/b", b"x" * 600, 0o755), file("é" * 99), link("c", "a/b"), hard_link("d", "a/b")])
    assert sha256(plain(tree)).hexdigest() == "7ffa1eeba6cb0fa8ff8ed5c200774c2bf5feab4ea81f2b52336106a90d53aede"
