"""Archives that a lock names: published, kept by another tool, of a local channel, or lost."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from repro.capture.conda.archives import Archive, ArchiveFinder
from repro.conda.credentials import authenticated, known_credentials
from repro.conda.records import Record
from repro.conda.repodata import Repodata
from repro.digest import Digest
from repro.errors import CaptureError
from repro.http import per_thread, session
from repro.store import ObjectStore
from tests.capture.conda.laptop import Told
from tests.conda_channel.server import ChannelServer, serving

DATA = b"an archive"
FILE = "x-1.5-h0_0.conda"
MD5 = hashlib.md5(DATA).hexdigest()


@dataclass
class Place:
    """A laptop's caches and a channel."""

    folder: Path
    server: ChannelServer
    told: Told

    @property
    def cache(self) -> ObjectStore:
        return ObjectStore(self.folder / "downloads")

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(self.folder / "objects")

    @property
    def packages(self) -> Path:
        (self.folder / "pkgs").mkdir(exist_ok=True)
        return self.folder / "pkgs"

    def finder(self, *addresses: str) -> ArchiveFinder:
        sessions = authenticated(per_thread(session), known_credentials({}, addresses=addresses))
        (self.folder / "indexes").mkdir(exist_ok=True)
        repodata = Repodata(sessions, self.folder / "indexes")
        return ArchiveFinder((self.packages,), self.store, self.cache, sessions, repodata, self.told)

    def record(self, **fields: object) -> Record:
        plain = Record(
            file=Path("x.json"),
            name="x",
            version="1.5",
            build="h0_0",
            build_number=0,
            subdir="noarch",
            channel=self.server.url(),
            url=f"{self.server.url()}/noarch/{FILE}",
            archive=FILE,
            sha256=Digest.of(DATA),
            md5=MD5,
            size=len(DATA),
        )
        return replace(plain, **fields)  # type: ignore[arg-type]

    def found(self, **fields: object) -> Archive:
        return self.finder().all_of([self.record(**fields)])["x"]

    def published(self, **fields: object) -> Archive:
        known = Archive(Digest.of(DATA), len(DATA), MD5, f"{self.server.address}/main/noarch/{FILE}")
        return replace(known, **fields)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    channel = tmp_path / "served" / "main" / "noarch"
    channel.mkdir(parents=True)
    (channel / FILE).write_bytes(DATA)
    with serving(tmp_path / "served") as server:
        yield Place(tmp_path, server, Told())


def test_a_published_one_is_asked_after_and_not_downloaded(place: Place) -> None:
    assert place.found() == place.published()
    assert place.server.requests == [f"HEAD /main/noarch/{FILE}"]
    assert not place.cache.has(Digest.of(DATA))


def test_one_that_another_tool_keeps_is_there_for_builds(place: Place) -> None:
    (place.packages / FILE).write_bytes(DATA)
    assert place.found() == place.published()
    assert place.cache.has(Digest.of(DATA))


@pytest.mark.parametrize("way", ["archive", "unpacked", "index", "download"])
def test_without_sha256_whatever_is_at_hand_tells_it(way: str, place: Place) -> None:
    stated = {"sha256": Digest.of(DATA).hex, "md5": MD5, "size": len(DATA)}
    if way == "archive":
        (place.packages / FILE).write_bytes(DATA)
    elif way == "unpacked":
        info = place.packages / "x-1.5-h0_0" / "info"
        info.mkdir(parents=True)
        (info / "repodata_record.json").write_text(json.dumps(stated))
    elif way == "index":
        index = json.dumps({"packages.conda": {FILE: stated}})
        (place.folder / "served/main/noarch/repodata.json").write_text(index)
    assert place.found(sha256=None, size=None) == place.published()
    assert (f"GET /main/noarch/{FILE}" in place.server.requests) == (way == "download")


def test_what_has_another_md5_is_not_it(place: Place) -> None:
    (place.packages / FILE).write_bytes(b"other")
    with pytest.raises(CaptureError, match=r"x=1\.5=h0_0"):
        place.found(sha256=None, size=None, md5="0" * 32)


def test_one_whose_record_names_no_place_is_not_called_lost_by_its_channel(place: Place) -> None:
    with pytest.raises(CaptureError) as caught:
        place.finder().all_of([place.record(url="", channel="", sha256=None, size=None, md5=None)])
    assert caught.value.problems == (
        "x=1.5=h0_0: its record doesn't say where it came from, and no package cache here has it",
    )


def test_a_lost_one_is_named_with_where_it_was_and_what_to_do(place: Place) -> None:
    place.server.lost.add(FILE)
    other = place.record(name="y", version="2", sha256=Digest.of(b"y"))
    with pytest.raises(CaptureError) as caught:
        place.finder().all_of([place.record(), other])
    assert caught.value.problems == tuple(
        f"{label}: it is no longer in its channel, {place.server.address}/main: "
        f"{place.server.address}/main/noarch/{FILE}, and no package cache here has it"
        for label in ("x=1.5=h0_0", "y=2=h0_0")
    )
    assert "CONDA_PKGS_DIRS" in str(caught.value.fix)


def test_a_lost_one_that_is_kept_here_goes_with_the_project(place: Place) -> None:
    place.server.lost.add(FILE)
    (place.packages / FILE).write_bytes(DATA)
    assert place.found() == place.published(url=None)
    assert place.store.checked_path(Digest.of(DATA)).read_bytes() == DATA
    assert "no longer in its channel" in place.told.lines[0]
    (place.packages / FILE).unlink()
    assert place.found() == place.published(url=None)


def test_a_lost_one_of_which_too_little_is_known_is_named_as_well(place: Place) -> None:
    place.server.lost.add(FILE)
    with pytest.raises(CaptureError, match=r"x=1\.5=h0_0: it is no longer in its channel"):
        place.found(sha256=None, size=None)


def test_a_private_channel_wants_its_token(place: Place) -> None:
    with serving(place.folder / "served", token="tk-9") as server:
        plain, secret = f"{server.address}/main/noarch/{FILE}", f"{server.url()}/noarch/{FILE}"
        with pytest.raises(CaptureError, match="asks for a token or password") as caught:
            place.found(url=plain)
        assert "tk-9" not in str(caught.value)
        found = place.finder(secret).all_of([place.record(url=secret)])["x"]
        assert found.url == plain
        (place.packages / FILE).write_bytes(DATA)
        assert place.found(url=plain).url == plain


def test_one_of_a_local_channel_goes_with_the_project(place: Place) -> None:
    path = place.folder / "served/main/noarch" / FILE
    for url in (path.as_uri(), str(path)):
        assert place.found(url=url) == place.published(url=None)
    assert place.found(url=path.as_uri(), sha256=None, size=None) == place.published(url=None)
    assert place.store.has(Digest.of(DATA))


def test_one_that_a_local_channel_has_replaced_is_lost(place: Place) -> None:
    path = place.folder / "served/main/noarch" / FILE
    path.write_bytes(b"replaced")
    with pytest.raises(CaptureError, match="no longer in its channel, file"):
        place.found(url=path.as_uri())


def test_a_server_that_is_down_is_asked_once_and_stops_nothing(place: Place) -> None:
    url = "http://127.0.0.1:9/main/noarch/" + FILE
    finder = place.finder()
    assert finder.all_of([place.record(url=url)])["x"].url == url
    assert finder.all_of([place.record(url=url)])["x"].url == url
