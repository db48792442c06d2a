"""What a base holds after all its layers: whiteouts, links, and the files that matter; read once."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.errors import IntegrityError
from repro.lock import Base
from repro.progress import Silent
from repro.registry import Registry
from repro.store import ObjectStore
from repro.transfer.base import BaseFacts, PathFact, base_facts, find_base
from tests.oci.forged import forge

Member = tuple[str, bytes | str | None]
"""A path with its content, or `-> target`, `=> hard link`, or None for a directory."""


def tar(members: Sequence[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if what is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            elif isinstance(what, str):
                kind, _, info.linkname = what.partition(" ")
                info.type = tarfile.SYMTYPE if kind == "->" else tarfile.LNKTYPE
            else:
                info.size = len(what)
            archive.addfile(info, io.BytesIO(what if isinstance(what, bytes) else b""))
    return buffer.getvalue()


def facts(tmp_path: Path, *layers: Sequence[Member]) -> BaseFacts:
    return base_facts(forge(*map(tar, layers)), tmp_path)


def paths(found: BaseFacts) -> dict[str, str]:
    return {path: f"-> {fact.target}" if fact.target else fact.kind for path, fact in found.paths.items()}


def test_every_path_and_its_kind(tmp_path: Path) -> None:
    found = facts(
        tmp_path, [("./", None), ("./usr/", None), ("usr/bin/tool", b"x"), ("/bin", "-> usr/bin"), ("tmp", None)]
    )
    assert found.paths == {
        "tmp": PathFact("directory", mode=0o1777),
        "usr": PathFact("directory"),
        "usr/bin": PathFact("directory"),
        "usr/bin/tool": PathFact("file"),
        "bin": PathFact("symlink", "usr/bin"),
    }


LOWER: list[Member] = [("a/b/one", b"1"), ("a/b/two", b"2"), ("a/c", b"3"), ("ab", b"4")]


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        ([("a/b/.wh.one", b"")], {"a", "a/b", "a/b/two", "a/c", "ab"}),
        ([("a/.wh.b", b"")], {"a", "a/c", "ab"}),
        ([(".wh.a", b"")], {"ab"}),
        ([("a/b/.wh..wh..opq", b"")], {"a", "a/b", "a/c", "ab"}),
        ([("a/b/.wh..wh..opq", b""), ("a/b/new", b"")], {"a", "a/b", "a/b/new", "a/c", "ab"}),
        ([("a/b/new", b""), ("a/b/.wh..wh..opq", b"")], {"a", "a/b", "a/b/new", "a/c", "ab"}),
        ([("a/.wh.b", b""), ("a/b/one", b"")], {"a", "a/b", "a/b/one", "a/c", "ab"}),
        ([("a/b/one", b""), ("a/.wh.b", b"")], {"a", "a/b", "a/b/one", "a/c", "ab"}),
        ([(".wh..wh..opq", b""), ("x", b"")], {"x"}),
        ([("a", b"a file now")], {"a", "ab"}),
        ([(".wh.nowhere", b"")], {"a", "a/b", "a/b/one", "a/b/two", "a/c", "ab"}),
    ],
)
def test_layers_remove_what_lower_ones_brought(tmp_path: Path, upper: list[Member], left: set[str]) -> None:
    assert set(facts(tmp_path, LOWER, upper).paths) == left


def test_a_directory_takes_the_place_of_a_link_and_a_file(tmp_path: Path) -> None:
    found = facts(tmp_path, [("lib", "-> usr/lib"), ("f", b"")], [("lib", None), ("f", None), ("f/x", b"")])
    assert paths(found) == {"lib": "directory", "f": "directory", "f/x": "file"}


def test_paths_through_links_land_where_the_link_leads(tmp_path: Path) -> None:
    lower: list[Member] = [("usr/lib/old", b""), ("lib", "-> usr/lib"), ("l", "-> /lib"), ("loop", "-> loop")]
    found = facts(tmp_path, lower, [("l/new", b""), ("lib/.wh.old", b"")])
    expected = {"usr", "usr/lib", "usr/lib/new", "lib", "l", "loop"}
    assert set(found.paths) == expected


def test_a_hard_link_is_what_it_links_to(tmp_path: Path) -> None:
    lower: list[Member] = [("etc/ld.so.conf", b"/lib\n"), ("link", "-> x")]
    found = facts(tmp_path, [*lower, ("etc/copy", "=> etc/ld.so.conf"), ("other", "=> link")])
    assert paths(found)["etc/copy"] == "file"
    assert paths(found)["other"] == "-> x"
    moved = facts(
        tmp_path, [("x", b""), ("var/lib/dpkg/status", b"S"), ("var/lib/dpkg/status.d/x", "=> var/lib/dpkg/status")]
    )
    assert moved.files["var/lib/dpkg/status.d/x"] == b"S"


def test_the_files_that_decide_are_read(tmp_path: Path) -> None:
    wanted = {
        "var/lib/dpkg/status": b"Package: base-files\n",
        "var/lib/dpkg/status.d/libc6": b"Package: libc6\n",
        "var/lib/dpkg/alternatives/awk": b"auto\n",
        "etc/ld.so.cache": b"\0cache",
        "etc/ld.so.conf": b"include\n",
        "etc/ld.so.conf.d/libc.conf": b"/usr/local/lib\n",
        "etc/apt/sources.list": b"",
        "etc/apt/sources.list.d/debian.sources": b"Types: deb\n",
        "usr/lib/os-release": b"ID=debian\n",
        "usr/share/keyrings/debian-archive-keyring.gpg": b"\x99",
    }
    others: list[Member] = [("etc/passwd", b"x"), ("etc/apt/auth.conf.d/secret", b"x")]
    links: list[Member] = [("etc/os-release", "-> ../usr/lib/os-release"), ("etc/alternatives/awk", "-> /usr/bin/mawk")]
    found = facts(tmp_path, [*wanted.items(), *others, *links])
    assert found.files == {**wanted, "etc/os-release": wanted["usr/lib/os-release"]}
    assert found.paths["etc/alternatives/awk"].target == "/usr/bin/mawk"


def test_the_last_layer_decides_what_is_in_a_file(tmp_path: Path) -> None:
    name = "var/lib/dpkg/status"
    assert facts(tmp_path, [(name, b"1")], [(name, b"2")]).files == {name: b"2"}
    assert not facts(tmp_path, [(name, b"1")], [("var/lib/dpkg/.wh.status", b"")]).files
    assert not facts(tmp_path, [(name, b"1")], [("var/lib/.wh.dpkg", b"")]).files
    assert not facts(tmp_path, [(name, b"1")], [("var/lib/.wh..wh..opq", b"")]).files
    assert not facts(tmp_path, [(name, b"1")], [(name, "-> elsewhere")]).files


def test_layers_are_read_once(tmp_path: Path) -> None:
    image = forge(tar([("etc/ld.so.conf", b"x"), ("l", "-> t"), ("d", None), ("\udcff", b"")]))
    first = base_facts(image, tmp_path)
    second = base_facts(image, tmp_path)
    assert first == second
    assert image.opened == [0]


@pytest.mark.parametrize("damage", [b"", b"{}", b"cut"])
def test_damaged_notes_are_made_again(tmp_path: Path, damage: bytes) -> None:
    image = forge(tar([("a", b"x")]))
    found = base_facts(image, tmp_path)
    (path,) = (one for one in tmp_path.rglob("*") if one.is_file())
    path.write_bytes(path.read_bytes()[:-3] if damage == b"cut" else damage)
    assert base_facts(image, tmp_path) == found
    assert image.opened == [0, 0]


def test_an_image_without_layers_or_files(tmp_path: Path) -> None:
    for image in (forge(), forge(tar([]))):
        assert base_facts(image, tmp_path) == base_facts(image, tmp_path) == BaseFacts({}, {})


def test_a_damaged_layer_is_no_base(tmp_path: Path) -> None:
    image = forge(tar([("a", b"x" * 10_000), ("b", b"")]))
    with pytest.raises(IntegrityError):
        base_facts(image.with_blob(0, image.blobs[0][:-20]), tmp_path)
    with pytest.raises(IntegrityError, match="no tar archive"):
        base_facts(forge(b"what is this?" * 100), tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


names = st.sampled_from(["a", "b", "c"])
found_paths = st.lists(names, min_size=1, max_size=3).map("/".join)
members = st.tuples(found_paths, st.one_of(st.just(b""), st.none(), names.map(lambda name: f"-> {name}")))


@given(st.lists(st.lists(members, max_size=6), max_size=3))
@settings(deadline=None, max_examples=60)
def test_what_is_noted_is_what_was_read(tmp_path_factory: pytest.TempPathFactory, layers: list[list[Member]]) -> None:
    """Whatever the layers: reading ends, notes say the same, and everything has a directory above it."""
    tmp_path = tmp_path_factory.mktemp("facts")
    found = facts(tmp_path, *layers)
    assert facts(tmp_path, *layers) == found
    for path in found.paths:
        above = path.rpartition("/")[0]
        assert not above or found.paths[above].kind == "directory"


@pytest.mark.engine
def test_the_real_base(engine: DockerEngine, base_image: ImageInfo, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "artifacts")
    base = Base("repro-base:bookworm", Digest.parse(base_image.id), "engine", None, None, "2.36")
    image = find_base(
        base,
        "linux/amd64",
        given=None,
        cache=store,
        engine=lambda: engine,
        registry=Registry(environ={"HOME": str(tmp_path)}),
        progress=Silent(),
    )
    found = base_facts(image, tmp_path)
    assert found.paths["lib"] == PathFact("symlink", "usr/lib")
    assert found.paths["usr/bin"].kind == "directory"
    assert b"Package: libc6\n" in found.files["var/lib/dpkg/status"]
    assert b"ID=debian" in found.files["etc/os-release"]
    assert {"etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d/libc.conf"} <= found.files.keys()
