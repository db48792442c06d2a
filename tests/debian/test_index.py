"""Indexes count only with a signature of a key that the base trusts, and only while they are valid."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from repro.debian.base import BaseView
from repro.debian.index import Index, load_index
from repro.debian.sources import MIRROR, apt_sources
from repro.errors import InfrastructureError, IntegrityError
from repro.http import Session
from repro.progress import Silent
from repro.store.objects import ObjectStore
from tests.debian.forge import OTHER_KEY, Archive, control
from tests.http.servers import Reply, Server

Load = Callable[..., Index]


@pytest.fixture
def load(cache: ObjectStore, sessions: Callable[[], Session]) -> Load:
    def loaded(base: BaseView, architecture: str = "amd64") -> Index:
        return load_index(apt_sources(base), architecture, sessions=sessions, cache=cache, progress=Silent())

    return loaded


def test_a_signed_archive(archive: Archive, load: Load) -> None:
    package = archive.add(control("libx1", "1.2-3", depends="libc6 (>= 2.34)"))
    archive.add(control("libx1", "1.2-3", "arm64"))
    archive.add(control("libx1", "1.10-1"))
    archive.publish()
    newest, older = load(archive.base()).named("libx1")
    assert (newest.version, older.version) == ("1.10-1", "1.2-3")
    assert (older.url, older.sha256, older.size) == (package.url, package.sha256, package.size)
    (arm,) = load(archive.base(), "arm64").named("libx1")
    assert arm.architecture == "arm64"


def test_virtual_packages_by_priority_and_name(archive: Archive, load: Load) -> None:
    archive.add(control("b", provides="x", priority="optional"))
    archive.add(control("a", provides="x", priority="optional"))
    archive.add(control("c", provides="y, x (= 2)", priority="required"))
    archive.publish()
    index = load(archive.base())
    assert [one.name for one in index.providers("x")] == ["c", "a", "b"]
    assert index.providers("nothing") == ()


def test_a_tampered_index(archive: Archive, load: Load, server: Server) -> None:
    archive.add(control("libx1"))
    archive.publish()
    path = next(path for path in server.routes if "by-hash" in path and "amd64" in path)
    server.add(path, b"x" * 200)
    with pytest.raises(IntegrityError, match="is not the file that was locked"):
        load(archive.base())


def test_a_signature_of_somebody_else(archive: Archive, load: Load) -> None:
    archive.key = OTHER_KEY
    archive.publish()
    with pytest.raises(IntegrityError, match="no trusted key signed"):
        load(archive.base())


def test_changed_words_under_a_good_signature(archive: Archive, load: Load) -> None:
    archive.publish()
    archive.offer(archive.signed(archive.text).replace(b"amd64", b"amd65"))
    with pytest.raises(IntegrityError, match="no trusted key signed"):
        load(archive.base())


def test_words_before_and_after_the_signed_part_count_for_nothing(archive: Archive, load: Load) -> None:
    archive.add(control("libx1"))
    archive.publish()
    archive.offer(b"Suite: evil\n\n" + archive.signed(archive.text) + b"\nSuite: evil\n")
    assert load(archive.base()).named("libx1")


def test_an_unsigned_archive_only_where_the_base_trusts_it(archive: Archive, load: Load) -> None:
    archive.add(control("libx1"))
    archive.publish()
    archive.offer(archive.text.encode())
    with pytest.raises(IntegrityError, match="no trusted key signed"):
        load(archive.base())
    trusting = f"deb [trusted=yes] {archive.url} bookworm main\n".encode()
    assert load(archive.base(files={"etc/apt/sources.list": trusting})).named("libx1")


def test_an_archive_without_any_key_in_the_base(
    archive: Archive, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive.publish()
    monkeypatch.setattr("repro.debian.sources._HOST_KEYRING", tmp_path / "none")
    listed = f"deb {archive.url} bookworm main\n".encode()
    with pytest.raises(IntegrityError, match="the base image has no keyring"):
        load(archive.base(files={"etc/apt/sources.list": listed}))


def test_a_mirror_that_is_not_kept_up_to_date(archive: Archive, load: Load) -> None:
    archive.valid = timedelta(days=-1)
    archive.publish()
    with pytest.raises(InfrastructureError, match="valid until"):
        load(archive.base())
    archive.valid = None
    archive.publish()
    assert load(archive.base()).named("x") == ()


def test_another_suite_under_the_name_of_ours(archive: Archive, load: Load) -> None:
    archive.publish(Suite="buster", Codename="buster")
    with pytest.raises(IntegrityError, match="release file of buster, not of bookworm"):
        load(archive.base())


def test_an_archive_without_by_hash(archive: Archive, load: Load, server: Server) -> None:
    archive.by_hash = False
    archive.add(control("libx1"))
    archive.publish()
    assert load(archive.base()).named("libx1")
    assert "/debian/dists/bookworm/main/binary-amd64/Packages.xz" in server.paths()


def test_an_archive_that_is_not_there(archive: Archive, load: Load, server: Server) -> None:
    server.routes["/debian/dists/bookworm/InRelease"] = lambda _: Reply(b"", 403)
    with pytest.raises(InfrastructureError, match="403"):
        load(archive.base())


def test_indexes_are_fetched_once(archive: Archive, load: Load, server: Server) -> None:
    archive.add(control("libx1"))
    archive.publish()
    load(archive.base())
    load(archive.base())
    assert len([path for path in server.paths() if "by-hash" in path]) == 1


def test_the_mirror_is_asked_and_the_public_name_is_locked(
    archive: Archive, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add(control("libx1"))
    archive.publish()
    monkeypatch.setenv(MIRROR, archive.url)
    listed = b"deb [signed-by=/usr/share/keyrings/ours.gpg] https://deb.debian.org/debian bookworm main\n"
    (found,) = load(archive.base(files={"etc/apt/sources.list": listed})).named("libx1")
    assert found.url == "http://deb.debian.org/debian/pool/main/libx1_1.0-1_amd64.deb"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("Filename: ../../../etc/passwd\nSize: 1\nSHA256: " + "a" * 64, "is said to be at"),
        ("Filename: a.deb\nSize: many\nSHA256: " + "a" * 64, "nonsense"),
        ("Filename: a.deb\nSize: 1\nSHA256: " + "a" * 63, "nonsense"),
        ("Filename: a.deb\nSize: 1", "lacks 'sha256'"),
    ],
)
def test_paragraphs_that_make_no_sense(line: str, complaint: str) -> None:
    index = Index([("http://x.example", f"{control('bad')}{line}\n")])
    with pytest.raises(IntegrityError, match=complaint):
        index.named("bad")
