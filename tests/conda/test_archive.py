"""Packages are read as both formats write them; what no honest package holds is refused, and said."""

import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.conda.archive import PackageArchive, open_archive
from repro.errors import IntegrityError, ReproError
from tests.conda.forged_packages import Forged, Item, entry, tar, zstd

TEXT = Item("share/demo.txt", b"some text\n")
PROGRAM = Item("bin/demo", b"\x7fELF", 0o755)
LINK = Item("bin/other", kind=tarfile.SYMTYPE, target="demo")
GOOD = Forged((TEXT, PROGRAM, LINK))


def opened(forged: Forged, folder: Path, name: str = "demo-1.0-h0_0.conda") -> PackageArchive:
    return open_archive(forged.write(folder, name), name)


def refusal(forged: Forged, folder: Path, name: str = "demo-1.0-h0_0.conda") -> str:
    with pytest.raises(IntegrityError) as caught:
        opened(forged, folder, name)
    return str(caught.value)


def content(package: PackageArchive, path: str) -> bytes:
    body = package.members[path].body
    assert body is not None
    return b"".join(body.plain())


@pytest.mark.parametrize("name", ["demo-1.0-h0_0.conda", "demo-1.0-h0_0.tar.bz2"])
def test_both_formats_say_the_same(tmp_path: Path, name: str) -> None:
    package = opened(GOOD, tmp_path, name)
    assert package.index["name"] == "demo"
    assert [one.path for one in package.paths] == ["share/demo.txt", "bin/demo", "bin/other"]
    assert list(package.members) == ["share/demo.txt", "bin/demo", "bin/other"]
    assert content(package, "share/demo.txt") == TEXT.data
    assert package.members["bin/demo"].executable
    assert package.members["bin/other"].target == "demo"
    assert package.noarch is None


def test_contents_outlive_the_archive(tmp_path: Path) -> None:
    package = opened(GOOD, tmp_path)
    (tmp_path / "demo-1.0-h0_0.conda").unlink()
    assert content(package, "share/demo.txt") == TEXT.data


def test_old_packages_say_in_three_files_what_paths_json_says(tmp_path: Path) -> None:
    info = {
        "paths.json": None,
        "files": b"share/demo.txt\nbin/demo\nbin/other\n",
        "has_prefix": b'"/opt/old place" text share/demo.txt\nbin/demo\n',
        "no_link": b"share/demo.txt\n",
    }
    package = opened(Forged(GOOD.items, info=info), tmp_path, "demo-1.0-h0_0.tar.bz2")
    old = "/opt/anaconda1" + "anaconda2" + "anaconda3"
    assert [(one.path, one.kind, one.placeholder, one.binary) for one in package.paths] == [
        ("share/demo.txt", "hardlink", "/opt/old place", False),
        ("bin/demo", "hardlink", old, False),
        ("bin/other", "softlink", None, False),
    ]


def test_what_is_not_listed_is_nobodys_affair(tmp_path: Path) -> None:
    package = opened(Forged(GOOD.items, paths=(entry(TEXT),)), tmp_path)
    assert [one.path for one in package.paths] == ["share/demo.txt"]


def test_scripts_are_those_that_run_when_it_is_linked(tmp_path: Path) -> None:
    names = ["bin/.demo-post-link.sh", "bin/.demo-pre-unlink.sh", "bin/.other-post-link.sh", "bin/.demo-pre-link.sh"]
    names.append("etc/conda/activate.d/demo.sh")
    package = opened(Forged(tuple(Item(name) for name in names)), tmp_path)
    assert package.scripts == ("bin/.demo-pre-link.sh", "bin/.demo-post-link.sh")


def test_entry_points_are_read_from_either_document(tmp_path: Path) -> None:
    link = b'{"noarch": {"type": "python", "entry_points": ["demo = demo:main"]}, "package_metadata_version": 1}'
    for name in ("link.json", "package_metadata.json"):
        package = opened(Forged((TEXT,), index={"noarch": "python"}, info={name: link}), tmp_path)
        assert package.entry_points == ("demo = demo:main",)
        assert package.noarch == "python"
    assert opened(Forged((TEXT,), index={"noarch": True}), tmp_path).noarch == "generic"


def test_a_file_listed_but_missing_is_named_and_so_is_every_other_contradiction(tmp_path: Path) -> None:
    folder = Item("share/demo", kind=tarfile.DIRTYPE)
    paths = (entry(TEXT), entry(TEXT), entry(PROGRAM), entry(folder, path_type="hardlink"))
    said = refusal(Forged((TEXT, folder), paths=paths), tmp_path)
    assert "share/demo.txt is listed twice" in said
    assert "bin/demo is listed, but not in it" in said
    assert "share/demo is listed as a hardlink, and is a directory" in said


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item("/etc/passwd"), "leads out of the package"),
        (Item("../outside"), "leads out of the package"),
        (Item("bin/../../outside"), "leads out of the package"),
        (Item("bin//demo"), "leads out of the package"),
        (Item("dev/null", kind=tarfile.CHRTYPE), "is a device"),
        (Item("dev/disk", kind=tarfile.BLKTYPE), "is a device"),
        (Item("run/pipe", kind=tarfile.FIFOTYPE), "is a device"),
        (Item("share/demo.txt", b"again"), "is in it twice"),
        (Item("bin/hard", kind=tarfile.LNKTYPE, target="bin/later"), "which is no file before it"),
        (Item("bin/hard", kind=tarfile.LNKTYPE, target="../../etc/passwd"), "leads out of the package"),
    ],
)
def test_members_that_have_no_place_in_an_environment_are_refused(tmp_path: Path, item: Item, expected: str) -> None:
    assert expected in refusal(Forged((TEXT, item), paths=()), tmp_path)
    assert expected in refusal(Forged((TEXT, item), paths=()), tmp_path, "demo-1.0-h0_0.tar.bz2")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"metadata.json": None}, "no metadata.json"),
        ({"metadata.json": b"[]"}, "must be an object"),
        ({"metadata.json": b'{"conda_pkg_format_version": 3}'}, "only 2"),
        ({"pkg-demo-1.0-h0_0.tar.zst": None}, "0 files pkg-"),
        ({"pkg-second.tar.zst": b""}, "2 files pkg-"),
        ({"pkg-demo-1.0-h0_0.tar.zst": b"no zstd"}, "can't be decompressed"),
        ({"pkg-demo-1.0-h0_0.tar.zst": zstd.compress(tar(GOOD.items))[:-20]}, "can't be decompressed"),
        ({"pkg-demo-1.0-h0_0.tar.zst": b""}, "can't be decompressed"),
        ({"pkg-demo-1.0-h0_0.tar.zst": zstd.compress(tar([Item("a", size=1 << 20)])[:512])}, "cut off"),
        ({"info-demo-1.0-h0_0.tar.zst": zstd.compress(tar([]))}, "no info/index.json"),
    ],
)
def test_a_damaged_zip_is_refused(tmp_path: Path, parts: dict[str, bytes | None], expected: str) -> None:
    assert expected in refusal(Forged(GOOD.items, parts=parts), tmp_path)


def test_several_streams_in_a_row_are_one(tmp_path: Path) -> None:
    data = tar(GOOD.items)
    parts = {"pkg-demo-1.0-h0_0.tar.zst": zstd.compress(data[:700]) + zstd.compress(data[700:])}
    assert content(opened(Forged(GOOD.items, parts=parts), tmp_path), "bin/demo") == PROGRAM.data


def test_what_is_neither_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.conda"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(IntegrityError, match="no conda package"):
        open_archive(path, path.name)


@pytest.mark.parametrize("name", ["demo-1.0-h0_0.conda", "demo-1.0-h0_0.tar.bz2"])
def test_a_package_that_expands_without_end_is_stopped(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repro.conda.archive._FLOOR", 1 << 20)
    bomb = Item("share/zeros", bytes(8 << 20))
    assert "expands to more than" in refusal(Forged((bomb,)), tmp_path, name)


def test_content_that_is_not_what_the_package_says_is_found_when_it_is_read(tmp_path: Path) -> None:
    from repro.conda.contents import Contents  # noqa: PLC0415 - beside the one test that uses it

    package = opened(Forged((TEXT,), paths=(entry(TEXT, sha256="0" * 64),)), tmp_path)
    with Contents(Path("/opt/env")) as contents:
        body = contents.of(package.paths[0], package.members["share/demo.txt"])
    with pytest.raises(IntegrityError, match=r"demo-1.0-h0_0.conda: share/demo.txt: its sha256 is"):
        list(body.plain())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_anywhere_is_an_error_of_ours_or_no_damage(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    name = data.draw(st.sampled_from(["demo-1.0-h0_0.conda", "demo-1.0-h0_0.tar.bz2"]))
    path = GOOD.write(folder, name)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place : place + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=40))
    path.write_bytes(bytes(whole))
    try:
        package = open_archive(path, name)
    except ReproError as error:
        assert name in str(error)  # noqa: PT017 - either is right
    else:
        assert {one.path for one in package.paths} <= package.members.keys()
