"""System packages from an archive of our own: asked for, needed, impossible."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from repro.capture.needs import Need
from repro.capture.system import lock_system
from repro.debian.base import BaseView
from repro.errors import CaptureError, UsageError
from repro.http import per_thread, session
from repro.lock import SystemPackage
from repro.progress import Silent
from repro.store.objects import ObjectStore
from tests.debian.forge import Archive, Item, control, deb, elf, view
from tests.http.servers import Server, serve

FOLDER = "./usr/lib/x86_64-linux-gnu"
Lock = Callable[..., tuple[SystemPackage, ...]]


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def archive(server: Server) -> Archive:
    return Archive(server)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def lock(tmp_path: Path, heard: Heard) -> Lock:
    cache = ObjectStore(tmp_path / "artifacts")

    def locked(
        asked: Sequence[str], base: BaseView, *needs: Need, skip: Sequence[str] = (), target: str = "linux/amd64"
    ) -> tuple[SystemPackage, ...]:
        return lock_system(
            asked,
            {target: needs},
            {target: base},
            sessions=per_thread(session),
            cache=cache,
            progress=heard,
            skip_scripts=skip,
        )

    return locked


def library(archive: Archive, package: str, soname: str, folder: str = FOLDER, **fields: str) -> SystemPackage:
    text = control(package, **fields)
    return archive.add(text, deb(text, [Item(f"{folder}/{soname}", elf(soname))]))


def need(soname: str, *, required: bool = True) -> Need:
    return Need(soname, (f"wheel: wheel/_x_{soname}",), required)


def told(packages: Sequence[SystemPackage]) -> list[tuple[str, str]]:
    return [(package.name, package.reason) for package in packages]


def test_nothing_is_asked_of_archives_without_need(archive: Archive, lock: Lock, server: Server) -> None:
    assert lock([], archive.base()) == ()
    assert server.log == []


def test_what_is_asked_for_with_all_it_needs(archive: Archive, lock: Lock) -> None:
    library(archive, "liba1", "liba.so.1", depends="libb1")
    published = library(archive, "libb1", "libb.so.1")
    archive.publish()
    found = lock(["liba1"], archive.base())
    assert told(found) == [("liba1", "asked"), ("libb1", "depends:liba1")]
    assert (found[1].url, found[1].sha256, found[1].size) == (published.url, published.sha256, published.size)


def test_an_exact_version(archive: Archive, lock: Lock) -> None:
    library(archive, "liba1", "liba.so.1", version="1")
    library(archive, "liba1", "liba.so.1", version="2")
    archive.publish()
    assert [package.version for package in lock(["liba1=1"], archive.base())] == ["1"]


def test_a_needed_library_by_its_packages_name(archive: Archive, lock: Lock, server: Server) -> None:
    library(archive, "libglib2.0-0", "libglib-2.0.so.0")
    archive.publish()
    assert told(lock([], archive.base(), need("libglib-2.0.so.0"))) == [("libglib2.0-0", "needs:libglib-2.0.so.0")]
    assert not [path for path in server.paths() if "Contents" in path]


def test_a_needed_library_by_the_list_of_files(archive: Archive, lock: Lock) -> None:
    archive.add(control("libodd1"))  # it has the name, but not the library
    library(archive, "odd-libs", "libodd.so.1")
    library(archive, "a-game", "libodd.so.1", "./usr/lib/games")
    archive.contents["amd64"] = (
        "usr/lib/games/libodd.so.1  games/a-game\nusr/lib/x86_64-linux-gnu/libodd.so.1  libs/odd-libs\n"
    )
    archive.publish()
    assert told(lock([], archive.base(), need("libodd.so.1"))) == [("odd-libs", "needs:libodd.so.1")]


def test_a_library_that_no_package_has_is_warned_about(archive: Archive, lock: Lock, heard: Heard) -> None:
    library(archive, "liba1", "liba.so.1")
    archive.publish()
    assert told(lock([], archive.base(), need("libcuda.so.1"), need("liba.so.1"))) == [("liba1", "needs:liba.so.1")]
    (warning,) = heard.warnings
    assert warning.startswith("the image for linux/amd64 will lack libcuda.so.1, which wheel may need: no package")


def test_what_only_unused_parts_need_is_a_note(archive: Archive, lock: Lock, heard: Heard) -> None:
    library(archive, "liba1", "liba.so.1")
    archive.publish()
    spare = [need("liba.so.1", required=False), need("libspare.so.1", required=False)]
    assert told(lock(["liba1"], archive.base(), *spare)) == [("liba1", "asked")]
    assert heard.notes == ["libspare.so.1 is not in the image; only parts that the run did without need it"]


def test_a_base_without_archives_is_refused_only_when_packages_are_asked_for(lock: Lock, heard: Heard) -> None:
    base = view(files={"etc/os-release": b'ID=alpine\nPRETTY_NAME="Alpine Linux v3.20"\n'})
    assert lock([], base, need("liba.so.1")) == ()
    assert "will lack liba.so.1" in heard.warnings[0]
    assert "Alpine" in heard.warnings[0]
    with pytest.raises(UsageError, match="Alpine"):
        lock(["liba1"], base)


def test_a_base_that_does_not_say_what_it_has(archive: Archive, lock: Lock) -> None:
    archive.publish()
    with pytest.raises(UsageError, match="no list of its packages"):
        lock(["liba1"], archive.base(files={"var/lib/dpkg/status": b""}))


def test_a_needed_package_that_does_not_fit_the_base_is_warned_about(
    archive: Archive, lock: Lock, heard: Heard
) -> None:
    library(archive, "liba1", "liba.so.1", depends="core (= 2)")
    library(archive, "libb1", "libb.so.1")
    archive.publish()
    base = archive.base(control("core", "1"))
    assert told(lock(["libb1"], base, need("liba.so.1"))) == [("libb1", "asked")]
    (warning,) = heard.warnings
    assert warning.startswith("libraries that the run needs can't be had (liba.so.1): ")
    assert warning.endswith("liba1 1.0-1 needs core (= 2), but the base image has core 1")
    with pytest.raises(CaptureError, match="can't be chosen") as caught:
        lock(["liba1"], base)
    assert "newer base image" in str(caught.value.fix)


def test_an_old_base_is_served_from_the_archive_of_its_time(
    archive: Archive, lock: Lock, heard: Heard, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As official images: made last year, while the archive has gone on to newer versions that need each other."""
    monkeypatch.setattr("repro.debian.sources.SNAPSHOT", server.url)
    monkeypatch.setattr("repro.debian.sources._PUBLIC", re.compile(r"https?://[^/]+/(debian(?:-security)?)(?=/|$)"))
    monkeypatch.setattr("repro.debian.sources._HOST", server.url)
    library(archive, "libgomp1", "libgomp.so.1", version="2", depends="core (= 2)")
    archive.publish()
    past = Archive(server, root="/archive/debian/20240110T000000Z")
    old = library(past, "libgomp1", "libgomp.so.1", version="1", depends="core (= 1)")
    past.valid = -past.valid if past.valid else None
    past.publish()
    listed = (
        f"Types: deb\n# http://snapshot.debian.org/archive/debian/20240110T000000Z\nURIs: {archive.url}\n"
        "Suites: bookworm\nComponents: main\nSigned-By: /usr/share/keyrings/ours.gpg\n"
    )
    files = {"etc/apt/sources.list": b"", "etc/apt/sources.list.d/debian.sources": listed.encode()}
    (found,) = lock([], archive.base(control("core", "1"), files=files), need("libgomp.so.1"))
    assert (found.version, found.url) == ("1", old.url)
    assert heard.notes[0] == "the base image is older than its archive; the archive of its time is looked at, too"


def test_unknown_scripts_stop_capture_and_may_be_left_out(archive: Archive, lock: Lock, heard: Heard) -> None:
    text = control("x")
    archive.add(text, deb(text, files={"postinst": b"#!/bin/sh\nadduser x\n"}))
    archive.publish()
    with pytest.raises(CaptureError, match="scripts are not known") as caught:
        lock(["x"], archive.base())
    assert caught.value.problems[0].startswith("x 1.0-1: postinst (sha256 ")
    (found,) = lock(["x"], archive.base(), skip=["x", "y"])
    assert found.skip_scripts
    assert heard.warnings == ["[system] skip-scripts names packages that are not needed: y"]


def test_every_target_has_its_own_packages(archive: Archive, lock: Lock, tmp_path: Path) -> None:
    for architecture, machine in (("amd64", 62), ("arm64", 183)):
        text = control("liba1", architecture=architecture)
        archive.add(text, deb(text, [Item("./usr/lib/liba.so.1", elf("liba.so.1", machine=machine))]))
    archive.publish()
    targets = ["linux/arm64", "linux/amd64"]
    found = lock_system(
        ["liba1"],
        {},
        dict.fromkeys(targets, archive.base()),
        sessions=per_thread(session),
        cache=ObjectStore(tmp_path / "store"),
        progress=Silent(),
    )
    assert [(package.target, package.architecture) for package in found] == [
        ("linux/amd64", "amd64"),
        ("linux/arm64", "arm64"),
    ]
