"""Layers unpacked by somebody who trusts none of their names, and root file systems made of them."""

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import IntegrityError
from repro.oci.folders import remove_tree
from repro.oci.rootfs import rootfs
from repro.oci.shelf import Shelf
from repro.oci.unpack import merge_layers, unpack_layer
from tests.oci.forged import Forged, forge

LINK, HARD, FOLDER, FIFO, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE


def entry(
    name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, to: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.type, found.mode, found.linkname, found.size, found.mtime = kind, mode, to, len(data), 1_000_000_000
    found.uid = found.gid = 7
    return found, data


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@contextlib.contextmanager
def unpacked(image: Forged, cache: Path) -> Iterator[Path]:
    with rootfs(image, cache, check=False) as tree:
        yield tree


def names(tree: Path) -> set[str]:
    """What is there, without what every root file system gets."""
    given = {"dev", "proc", "sys", "tmp", "etc", "etc/hosts", "etc/hostname"}
    return {str(path.relative_to(tree)) for path in tree.rglob("*")} - given


def test_files_links_modes_and_times_come_through(tmp_path: Path) -> None:
    layer = tar(
        entry("./usr/", kind=FOLDER, mode=0o2755),
        entry("./usr/bin/tool", b"#!", mode=0o4755),
        entry("usr/bin/same", kind=HARD, to="./usr/bin/tool"),
        entry("bin", kind=LINK, to="usr/bin"),
        entry("secret", b"s", mode=0o040),
        entry("tmp", kind=FOLDER, mode=0o1777),
        entry("dev/null", kind=DEVICE),
        entry("run/pipe", kind=FIFO),
        entry("größe €", b"utf-8"),
    )
    with unpacked(forge(layer), tmp_path) as tree:
        tool = (tree / "usr/bin/tool").stat()
        assert (stat.S_IMODE(tool.st_mode), tool.st_mtime, tool.st_uid) == (0o755, 1_000_000_000, os.geteuid())
        assert (tree / "usr/bin/same").samefile(tree / "usr/bin/tool")
        assert (tree / "bin").readlink() == Path("usr/bin")
        assert stat.S_IMODE((tree / "secret").stat().st_mode) == 0o440
        assert stat.S_IMODE((tree / "tmp").stat().st_mode) == 0o1777
        assert stat.S_IMODE((tree / "usr").stat().st_mode) == 0o755
        assert (tree / "größe €").read_bytes() == b"utf-8"
        assert not (tree / "dev/null").exists()
        assert not (tree / "run/pipe").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_of_whoever_unpacks_changes_nothing(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with unpacked(forge(tar(entry("a/b/c", b"x"))), tmp_path) as tree:
            modes = [stat.S_IMODE((tree / path).stat().st_mode) for path in ("a", "a/b", "a/b/c")]
    finally:
        os.umask(before)
    assert modes == [0o755, 0o755, 0o644]


def test_upper_layers_replace_remove_and_hide(tmp_path: Path) -> None:
    lower = tar(
        entry("keep", b"1"),
        entry("gone", b"1"),
        entry("folder/inner/file", b"1"),
        entry("opaque/old", b"1"),
        entry("becomes-folder", b"1"),
        entry("becomes-file/inner", b"1"),
        entry("replaced", b"old"),
        entry("link", kind=LINK, to="keep"),
    )
    upper = tar(
        entry(".wh.gone"),
        entry("folder/.wh.inner"),
        entry("opaque/new", b"2"),
        entry("opaque/.wh..wh..opq"),
        entry("becomes-folder", kind=FOLDER, mode=0o700),
        entry("becomes-folder/inner", b"2"),
        entry("becomes-file", b"2"),
        entry("replaced", b"new"),
        entry("link", kind=FOLDER, mode=0o755),
        entry(".wh..wh.plnk", kind=FOLDER),
        entry("missing/.wh.nothing"),
    )
    with unpacked(forge(lower, upper), tmp_path) as tree:
        assert names(tree) == {
            *("keep", "folder", "opaque", "opaque/new", "becomes-folder", "becomes-folder/inner", "becomes-file"),
            *("replaced", "link"),
        }
        assert (tree / "replaced").read_bytes() == b"new"
        assert not (tree / "link").is_symlink()
        assert (tree / "keep").read_bytes() == b"1"
    with unpacked(forge(lower), tmp_path) as tree:
        assert (tree / "replaced").read_bytes() == b"old"
        assert (tree / "opaque/old").exists()


def test_the_last_of_several_entries_for_a_path_counts(tmp_path: Path) -> None:
    layer = tar(entry("a", b"1"), entry("a", b"2"), entry("b/c", b"1"), entry("b", b"2"), entry("d", kind=FOLDER))
    with unpacked(forge(layer), tmp_path) as tree:
        assert ((tree / "a").read_bytes(), (tree / "b").read_bytes()) == (b"2", b"2")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([entry("../x", b"1")], "leads out"),
        ([entry("a/../../x", b"1")], "leads out"),
        ([entry("/x", b"1")], "leads out"),
        ([entry("out", kind=LINK, to="/"), entry("out/x", b"1")], "can't be"),
        ([entry("out", kind=LINK, to=".."), entry("out/", kind=FOLDER), entry("out/../x", b"1")], "leads out"),
        ([entry("out", kind=LINK, to=".."), entry("x", kind=HARD, to="out/secret")], "can't be"),
        ([entry("x", kind=HARD, to="../secret")], "leads out"),
        ([entry("x", kind=HARD, to="nowhere")], "hard link"),
        ([entry("x", kind=HARD, to="x")], "hard link"),
        ([entry("x", kind=HARD, to=".")], "hard link"),
        ([entry("d", kind=FOLDER), entry("x", kind=HARD, to="d")], "hard link"),
        ([entry("x", kind=LINK, to="")], "symbolic link to nothing"),
        ([entry("a/.wh...")], "whiteout"),
        ([entry("a/.wh.")], "whiteout"),
        ([entry(".", b"1")], "root of an image"),
        ([entry("x", kind=b"Z")], "of a kind"),
        ([entry("n" * 300, b"1")], "can't be"),
        ([entry("f", b"1"), entry("f/x", b"1")], "can't be"),
        ([entry("/".join("d" * 200), b"1")], "components"),
    ],
)
def test_entries_that_could_do_harm_are_refused_by_name(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], says: str
) -> None:
    (tmp_path / "secret").write_text("untouched")
    cache = tmp_path / "cache"
    with pytest.raises(IntegrityError, match=says) as caught, unpacked(forge(tar(*entries)), cache):
        pass
    assert caught.value.where
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "cache"}
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("upper", [[entry("lib/x", b"1")], [entry("lib/.wh.x")]])
def test_a_layer_never_goes_through_a_link_of_the_layers_below(
    tmp_path: Path, upper: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("untouched")
    lower = tar(entry("lib", kind=LINK, to=str(tmp_path / "outside")))
    with pytest.raises(IntegrityError) as caught, unpacked(forge(lower, tar(*upper)), tmp_path / "cache"):
        pass
    assert (caught.value.where or "").startswith("lib")
    assert (tmp_path / "outside/x").read_text() == "untouched"


@pytest.mark.parametrize("name", ["proc", "etc", "tmp"])
def test_a_link_where_something_will_be_mounted_is_refused(tmp_path: Path, name: str) -> None:
    image = forge(tar(entry(name, kind=LINK, to="/")))
    with pytest.raises(IntegrityError) as caught, unpacked(image, tmp_path):
        pass
    assert caught.value.where == name


@pytest.mark.parametrize("cut", [0, 100, 600, 1200])
def test_an_archive_that_is_cut_short_is_damaged(tmp_path: Path, cut: int) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(IntegrityError, match="archive"):
        unpack_layer(io.BytesIO(tar(entry("x", b"1" * 1000))[:cut]), place, "layer 0")


def test_a_layer_of_other_content_leaves_nothing(tmp_path: Path) -> None:
    good = forge(tar(entry("x", b"1")))
    other = forge(tar(entry("x", b"2")), diff_ids=good.diff_ids)
    for bad in (good.with_blob(0, other.blobs[0]), other):
        with pytest.raises(IntegrityError), unpacked(bad, tmp_path):
            pass
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with unpacked(good, tmp_path) as tree:
        assert (tree / "x").read_bytes() == b"1"


def test_who_is_interrupted_leaves_only_whole_layers(tmp_path: Path) -> None:
    image = forge(*(tar(entry(name, name.encode())) for name in "abc"))

    class Interrupted(Forged):
        def open_layer(self, number: int) -> BinaryIO:
            if number == 2:
                raise KeyboardInterrupt
            return super().open_layer(number)

    stopped = Interrupted(*(getattr(image, field.name) for field in fields(image)))
    with pytest.raises(KeyboardInterrupt), unpacked(stopped, tmp_path):
        pass
    assert list((tmp_path / "layers" / "incoming").iterdir()) == []
    assert list((tmp_path / "images" / "incoming").iterdir()) == []
    with unpacked(image, tmp_path) as tree:
        assert names(tree) == {"a", "b", "c"}


def test_what_follows_the_end_of_the_archive_is_checked_too(tmp_path: Path) -> None:
    good = tar(entry("x", b"1"))
    image = forge(good + b"more", diff_ids=forge(good).diff_ids)
    with pytest.raises(IntegrityError), unpacked(image, tmp_path):
        pass


def test_everything_is_unpacked_once_and_layers_are_shared(tmp_path: Path) -> None:
    base = tar(entry("base", b"b" * 1000))
    one, two = forge(base, tar(entry("code", b"1"))), forge(base, tar(entry("code", b"2")))
    with unpacked(one, tmp_path) as first, unpacked(one, tmp_path) as again, unpacked(two, tmp_path) as second:
        assert first == again
        assert (first / "base").samefile(second / "base")
        assert ((first / "code").read_bytes(), (second / "code").read_bytes()) == (b"1", b"2")
    assert sorted(one.opened) == [0, 1]
    assert two.opened == [1]


def test_an_image_that_was_changed_since_it_was_unpacked_does_not_pass_for_what_it_was(tmp_path: Path) -> None:
    good, other = forge(tar(entry("x", b"1"))), forge(tar(entry("x", b"2")))
    with rootfs(good, tmp_path):
        pass
    with rootfs(good, tmp_path):
        pass
    damaged = good.with_blob(0, good.blobs[0][:-1] + b"x")
    lying = replace(other, config=good.config, diff_ids=good.diff_ids)  # its manifest fits its blobs, not its config
    for bad in (damaged, lying):
        with pytest.raises(IntegrityError), rootfs(bad, tmp_path):
            pass
    shared = forge(*(tar(entry("x", data)) for data in (b"1", b"3")))
    with pytest.raises(IntegrityError), rootfs(shared.with_blob(0, b"something else"), tmp_path):
        pass


def test_the_same_layer_in_another_encoding_is_the_same_layer(tmp_path: Path) -> None:
    layer = tar(entry("x", b"1"))
    packed, plain = forge(layer), forge(layer, packed=False)
    assert packed.config == plain.config
    for image in (packed, plain, plain):
        with rootfs(image, tmp_path) as tree:
            assert (tree / "x").read_bytes() == b"1"
    assert len(list((tmp_path / "layers").glob("*/blobs/*"))) == 2


def test_an_image_needs_its_layers_no_more(tmp_path: Path) -> None:
    image = forge(tar(entry("x", b"1")))
    with unpacked(image, tmp_path):
        pass
    assert [item.remove() for item in Shelf(tmp_path / "layers").items()] == [True]
    with unpacked(image, tmp_path) as tree:
        assert (tree / "x").read_bytes() == b"1"
    assert image.opened == [0]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    image = forge(tar(entry("x", b"1")))
    with unpacked(image, tmp_path):
        pass
    left = tmp_path / "layers" / "incoming" / "0123456789ab-killed"
    (left / "tree").mkdir(parents=True)
    (left / "lock").touch()
    bare = tmp_path / "layers" / "incoming" / "0123456789ab-bare"
    (bare / "tree").mkdir(parents=True)
    os.utime(bare, (0, 0))
    assert {item.path: item.remove() for item in Shelf(tmp_path / "layers").items() if not item.used} == {
        left: True,
        bare: True,
    }
    assert not left.exists()
    assert not bare.exists()


def test_a_tree_that_is_closed_and_deep_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = Path.cwd()
    os.chdir(top)
    try:
        for _ in range(2000):
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
    finally:
        os.chdir(here)
    (top / "closed").mkdir(mode=0)
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []


NAMES = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", "c/d/e"])
CHANGE = st.one_of(
    st.tuples(st.just("file"), NAMES, st.binary(max_size=3)),
    st.tuples(st.just("remove"), NAMES, st.just(b"")),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(CHANGE, max_size=5, unique_by=lambda change: change[1]), min_size=1, max_size=4))
def test_layers_add_up_to_what_they_say(tmp_path_factory: pytest.TempPathFactory, layers: list[list[tuple]]) -> None:
    """Against a model: a dictionary of files that each layer changes, whiteouts first."""
    model: dict[str, bytes] = {}
    place = tmp_path_factory.mktemp("layers")
    places = []
    for number, changes in enumerate(layers):
        files = {path: data for kind, path, data in changes if kind == "file"}
        files = {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}
        removed = [path for kind, path, _ in changes if kind == "remove"]
        through = {path for path in model if any(other.startswith(f"{path}/") for other in (*files, *removed))}
        removed = sorted({*removed, *through})  # a layer that puts a directory in a file's place says so
        entries = [entry(f"{path.rpartition('/')[0]}/.wh.{path.rpartition('/')[2]}".lstrip("/")) for path in removed]
        entries += [entry(path, data) for path, data in files.items()]
        model = {
            path: data
            for path, data in model.items()
            if not any(path == gone or path.startswith(f"{gone}/") for gone in (*removed, *files))
        } | files
        folder = place / str(number)
        folder.mkdir()
        unpack_layer(io.BytesIO(tar(*entries)), folder, f"layer {number}")
        places.append(folder)
    tree = place / "tree"
    tree.mkdir()
    merge_layers(places, tree)
    assert {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()} == model
