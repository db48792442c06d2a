"""Packages are read as they are, or refused by name."""

import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from repro.debian.deb import Deb, read_deb
from repro.errors import IntegrityError
from repro.store.objects import ObjectStore
from tests.debian.forge import Item, ar, control, deb, packed, stored, tar

Read = Callable[..., Deb]


@pytest.fixture
def read(tmp_path: Path, cache: ObjectStore) -> Read:
    def reading(data: bytes) -> Deb:
        package, path = stored(tmp_path, data, "x")
        return read_deb(package, path, cache)

    return reading


def of(*items: Item, **fields: str) -> bytes:
    return deb(control("x", **fields), items)


def test_a_package_with_everything(read: Read) -> None:
    items = [
        Item("./usr/"),
        Item("./usr/bin/", mode=0o755),
        Item("./usr/bin/tool", b"tool", mode=0o4755),
        Item("./usr/bin/same", hard="./usr/bin/tool"),
        Item("./usr/bin/again", hard="usr/bin/same"),
        Item("./usr/bin/link", link="../bin/tool"),
        Item("./usr/empty", b""),
    ]
    text = control("x")
    files = {"postinst": b"#!/bin/sh\n", "prerm": b"#!/bin/sh\n", "triggers": b"activate-noawait ldconfig\n"}
    found = read(deb(text, items, files=files))
    assert (found.package, found.control, found.label) == ("x", text.encode(), "x_1.0-1_amd64.deb")
    assert dict(found.scripts) == {"postinst": b"#!/bin/sh\n"}
    assert found.triggers == "activate-noawait ldconfig\n"
    listed = [(file.path, file.kind, oct(file.mode), file.target) for file in found.files]
    assert listed == [
        ("usr", "directory", "0o755", ""),
        ("usr/bin", "directory", "0o755", ""),
        ("usr/bin/tool", "file", "0o4755", ""),
        ("usr/bin/same", "hardlink", "0o4755", "usr/bin/tool"),
        ("usr/bin/again", "hardlink", "0o4755", "usr/bin/tool"),
        ("usr/bin/link", "symlink", "0o777", "../bin/tool"),
        ("usr/empty", "file", "0o644", ""),
    ]
    tool, empty = found.files[2].body, found.files[6].body
    assert tool is not None
    assert empty is not None
    assert (b"".join(tool.plain()), tool.size, b"".join(empty.plain())) == (b"tool", 4, b"")
    with tool.open() as stream:
        assert (stream.seek(-2, 2), stream.read(), stream.seek(1), stream.read(1)) == (2, b"ol", 1, b"o")


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tar.xz", ".tar.zst"])
def test_every_compression(read: Read, kind: str) -> None:
    compress = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.xz": lzma.compress, ".tar.zst": zstd.compress}[kind]
    big = bytes(range(256)) * 5000
    inner = [tar([Item("./control", control("x").encode())]), tar([Item("./big", big)])]
    found = read(
        ar([("debian-binary", b"2.0\n"), *zip((f"control{kind}", f"data{kind}"), map(compress, inner), strict=True)])
    )
    body = found.files[0].body
    assert body is not None
    assert b"".join(body.plain()) == big


def test_the_plain_archive_is_kept_and_trusted_no_further_than_its_digest(read: Read, cache: ObjectStore) -> None:
    data = of(Item("./a", b"content"))
    body = read(data).files[0].body
    assert body is not None
    before = body.path.stat().st_mtime_ns
    assert read(data).files[0].body == body
    assert body.path.stat().st_mtime_ns == before
    body.path.chmod(0o644)
    with body.path.open("r+b") as stream:
        stream.seek(body.offset)
        stream.write(b"CONTENT")
    with pytest.raises(IntegrityError, match="a cached file changed"):
        list(body.plain())
    again = read(data).files[0].body
    assert again is not None
    assert b"".join(again.plain()) == b"content"


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ([Item("/etc/passwd", b"x")], "leads out of the package"),
        ([Item("./../etc/passwd", b"x")], "leads out of the package"),
        ([Item("./a//b", b"x")], "leads out of the package"),
        ([Item("./usr/.wh.bin", b"x")], "whiteout"),
        ([Item("./.wh..wh..opq", b"x")], "whiteout"),
        ([Item("./a\x01b", b"x")], "no name in UTF-8"),
        ([Item("./a", b"x"), Item("./a", b"y")], "twice"),
        ([Item("./a/"), Item("./a", b"y")], "twice"),
        ([Item("./a", link="/etc"), Item("./a/passwd", b"x")], "below /a, which is a symlink"),
        ([Item("./a", b"x"), Item("./a/b/c", b"x")], "below /a, which is a file"),
        ([Item("./usr/a", link="../../etc/passwd")], "leads out of the image"),
        ([Item("./a", link="x/../../b")], "leads out of the image"),
        ([Item("./a", link="/../b")], "leads out of the image"),
        ([Item("./a", link="")], "a link to nothing"),
        ([Item("./a", hard="./etc/passwd")], "no file before it"),
        ([Item("./a", hard="/etc/passwd")], "leads out of the package"),
        ([Item("./a", link="b"), Item("./c", hard="a")], "no file before it"),
        ([Item("./dev", b"", type=tarfile.CHRTYPE)], "a device"),
        ([Item("./dev", b"", type=tarfile.BLKTYPE)], "a device"),
        ([Item("./pipe", b"", type=tarfile.FIFOTYPE)], "a pipe"),
        ([Item("./a", b"x", uid=1000)], "belongs to 1000:0"),
        ([Item("./a", b"x", gid=50)], "belongs to 0:50"),
        ([Item("./a", b"x", pax={"SCHILY.xattr.security.capability": "x"})], "extended attributes"),
    ],
)
def test_malicious_files_are_refused_by_name(read: Read, items: list[Item], complaint: str) -> None:
    with pytest.raises(IntegrityError, match=complaint) as caught:
        read(of(*items))
    assert caught.value.where == "x_1.0-1_amd64.deb"


def test_a_bomb(read: Read) -> None:
    data = packed(tar([Item("./control", control("x", installed_size="1").encode())]), bytes(80 << 20))
    with pytest.raises(IntegrityError, match="expands to more than"):
        read(data)


def test_a_large_package_that_says_so(read: Read) -> None:
    big = [Item("./big", bytes(80 << 20))]
    assert read(of(*big, installed_size=str(80 << 10))).files[0].body.size == 80 << 20  # type: ignore[union-attr]


def test_contents_that_contradict_the_md5sums(read: Read) -> None:
    listed = b"00000000000000000000000000000000  usr/a\n00000000000000000000000000000000  usr/gone\n"
    data = deb(control("x"), [Item("./usr/a", b"a")], files={"md5sums": listed}, md5sums=False)
    with pytest.raises(IntegrityError, match="contradicts itself") as caught:
        read(data)
    assert caught.value.problems == (
        "/usr/a has not the content that its md5sums states",
        "/usr/gone is listed in its md5sums but missing",
    )


@pytest.mark.parametrize("fields", [{"version": "2"}, {"architecture": "arm64"}])
def test_another_package_than_was_locked(read: Read, fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match=r"not x 1\.0-1 amd64"):
        read(deb(control("x", **fields)))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no ar archive"),
        (b"PK\x03\x04", "no ar archive"),
        (ar([]), "it holds nothing"),
        (ar([("debian-binary", b"3.0\n"), ("control.tar", b""), ("data.tar", b"")]), "format b'3.0"),
        (ar([("control.tar", b""), ("debian-binary", b"2.0\n"), ("data.tar", b"")]), "it holds control, debian-binary"),
        (ar([("debian-binary", b"2.0\n"), ("control.tar.rot", b""), ("data.tar", b"")]), "in a way that is not known"),
        (ar([("debian-binary", b"2.0\n"), ("control.tar.xz", b"xz?"), ("data.tar", b"")]), "can't be decompressed"),
        (of(Item("./a", b"x" * 5000))[:-300], "cut off"),
        (packed(tar([Item("./control", control("x").encode())]), b"no tar at all" * 100), "data archive is damaged"),
        (packed(b"no tar at all" * 100, tar([])), "control archive is damaged"),
        (
            ar([("debian-binary", b"2.0\n"), ("control.tar.gz", b""), ("data.tar", b"")])[:-70] + b"x" * 70,
            "damaged|cut off",
        ),
    ],
)
def test_damaged_packages(read: Read, data: bytes, complaint: str) -> None:
    with pytest.raises(IntegrityError, match=complaint):
        read(data)


def test_a_data_archive_that_ends_early(read: Read) -> None:
    inner = [
        gzip.compress(tar([Item("./control", control("x").encode())])),
        lzma.compress(tar([Item("./a", b"x" * 9999)]))[:-40],
    ]
    names = ["control.tar.gz", "data.tar.xz"]
    with pytest.raises(IntegrityError, match=r"data\.tar\.xz can't be decompressed"):
        read(ar([("debian-binary", b"2.0\n"), *zip(names, inner, strict=True)]))


def test_a_member_cut_off_inside_the_plain_tar(read: Read) -> None:
    whole = tar([Item("./a", b"x" * 9999)])
    with pytest.raises(IntegrityError, match=r"cut off|damaged"):
        read(packed(tar([Item("./control", control("x").encode())]), whole[:5000]))
