"""Locked packages are found where they are now: mirror, archive, or the archive of the past."""

import json
from collections.abc import Callable

import pytest

from repro.debian.fetch import fetch_debs
from repro.debian.sources import MIRROR
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.http import Session
from repro.lock import SystemPackage
from repro.progress import Silent
from repro.store.objects import ObjectStore
from tests.http.servers import Server

DATA = b"a package"
Sessions = Callable[[], Session]


def locked(url: str) -> SystemPackage:
    return SystemPackage("libx1", "1:2.0+b1-3", "amd64", "linux/amd64", url, Digest.of(DATA), len(DATA), "asked")


def fetched(package: SystemPackage, server: Server, cache: ObjectStore, sessions: Sessions) -> bytes:
    found = fetch_debs([package], stores=(), cache=cache, sessions=sessions, progress=Silent(), snapshot=server.url)
    return found[package.sha256].read_bytes()


def offer_past(server: Server, data: bytes = DATA, **changes: object) -> None:
    copy = {"name": "libx1_2.0+b1-3_amd64.deb", "archive_name": "debian", "path": "/pool/main/x", "size": len(DATA)}
    copy |= {"first_seen": "20240110T031500Z", **changes}
    other = {**copy, "name": "libx1_2.0+b1-3_arm64.deb"}
    answer = {
        "fileinfo": {"1" * 40: [other], "2" * 40: [copy]},
        "result": [{"hash": "2" * 40, "architecture": "amd64"}],
    }
    server.add("/mr/binary/libx1/1%3A2.0%2Bb1-3/binfiles?fileinfo=1", json.dumps(answer).encode())
    server.add("/archive/debian/20240110T031500Z/pool/main/x/libx1_2.0%2Bb1-3_amd64.deb", data)


def test_from_where_it_is_published(server: Server, cache: ObjectStore, sessions: Sessions) -> None:
    url = server.add("/pool/x.deb", DATA)
    assert fetched(locked(url), server, cache, sessions) == DATA


def test_from_the_mirror(
    server: Server, cache: ObjectStore, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, f"{server.url}/debian")
    server.add("/debian-security/pool/x.deb", DATA)
    assert fetched(locked("http://security.debian.org/debian-security/pool/x.deb"), server, cache, sessions) == DATA


def test_what_is_gone_comes_from_the_past(server: Server, cache: ObjectStore, sessions: Sessions) -> None:
    offer_past(server)
    assert fetched(locked(f"{server.url}/gone.deb"), server, cache, sessions) == DATA


def test_the_past_is_checked_like_anything_else(server: Server, cache: ObjectStore, sessions: Sessions) -> None:
    offer_past(server, b"a paCkage")
    with pytest.raises(IntegrityError, match="is not the file that was locked"):
        fetched(locked(f"{server.url}/gone.deb"), server, cache, sessions)


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"fileinfo": 5}', b'{"fileinfo": {"x": [{}]}}', b'{"fileinfo": {}}'])
def test_what_is_gone_from_everywhere_is_said(
    server: Server, cache: ObjectStore, sessions: Sessions, answer: bytes
) -> None:
    server.add("/mr/binary/libx1/1%3A2.0%2Bb1-3/binfiles?fileinfo=1", answer)
    with pytest.raises(InfrastructureError, match="404") as caught:
        fetched(locked(f"{server.url}/gone.deb"), server, cache, sessions)
    assert "libx1 1:2.0+b1-3" in str(caught.value.fix)


def test_a_replaced_file_is_no_reason_to_look_elsewhere(server: Server, cache: ObjectStore, sessions: Sessions) -> None:
    offer_past(server)
    url = server.add("/pool/x.deb", b"something")
    with pytest.raises(IntegrityError, match="is not the file that was locked"):
        fetched(locked(url), server, cache, sessions)
