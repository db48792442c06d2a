"""Reading single files of remote wheels, and finding the very wheel that was installed."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Distribution
from repro.capture.packages.core_metadata import published_requirements
from repro.capture.packages.pip_cache import cached_wheel, pip_cache
from repro.capture.packages.record_match import doubtful, installed_file
from repro.capture.packages.remote_wheel import read_dist_info
from repro.digest import Digest
from repro.errors import InfrastructureError
from tests.capture.packages.indexes import Index, installed, wheel
from tests.http.servers import Reply, Request, serve


@pytest.fixture
def index() -> Iterator[Index]:
    with serve() as server:
        yield Index(server)


def unpacked(folder: Path, body: bytes, name: str = "thing") -> Distribution:
    """What a wheel's install leaves: its files, and a RECORD with an installer's lines at the end."""
    folder.mkdir(exist_ok=True)
    path = folder / "wheel.zip"
    path.write_bytes(body)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site")
    (info,) = (folder / "site").glob("*.dist-info")
    record = info / "RECORD"
    record.write_text(record.read_text() + f"../../bin/thing,sha256=abc,1\n{info.name}/INSTALLER,sha256=abc,1\n")
    return replace(installed(name), location=folder / "site", metadata=info)


def big(name: str, version: str = "1.0") -> tuple[str, bytes]:
    """A wheel whose directory doesn't come with its last 64 KiB."""
    return wheel(name, version, "six>=1", body="x" * 300_000)


def test_one_file_is_read_by_ranges_not_by_downloading(index: Index, tmp_path: Path) -> None:
    name, body = big("thing")
    index.add(name, body)
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    record = read_dist_info(file, "RECORD", client)
    assert record is not None
    assert b"thing.py,sha256=" in record
    assert read_dist_info(file, "nothing", client) is None
    asked = [request.headers.get("range") for request in index.server.log if request.path.endswith(".whl")]
    assert asked
    assert None not in asked
    assert client.kept(file) is None


def test_without_ranges_the_wheel_is_downloaded_and_kept(index: Index, tmp_path: Path) -> None:
    name, body = big("thing")
    index.add(name, body)
    index.server.routes[f"/simple-files/{name}"] = lambda _: Reply(body)
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    assert [str(one) for one in published_requirements(file, client)] == ["six>=1"]
    assert client.kept(file) is not None
    assert read_dist_info(file, "RECORD", client) is not None


def test_metadata_beside_a_wheel_are_used_when_they_are_what_is_announced(index: Index, tmp_path: Path) -> None:
    name, body = wheel("thing", "1.0", "six>=1")
    index.add(name, body, beside=True)
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    assert [str(one) for one in published_requirements(file, client)] == ["six>=1"]
    assert not any(request.path.endswith(".whl") for request in index.server.log)
    index.server.add(f"/simple-files/{name}.metadata", b"Name: other\n")
    with pytest.raises(InfrastructureError, match="is not the document that its index announces"):
        published_requirements(file, index.client(tmp_path / "fresh"))


def test_metadata_that_were_promised_and_are_gone_are_read_from_the_wheel(index: Index, tmp_path: Path) -> None:
    name, body = wheel("thing", "1.0", "six>=1")
    index.add(name, body, beside=True)
    del index.server.routes[f"/simple-files/{name}.metadata"]
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    assert [str(one) for one in published_requirements(file, client)] == ["six>=1"]


def test_what_is_no_wheel_is_told(index: Index, tmp_path: Path) -> None:
    index.add("thing-1.0-py3-none-any.whl", b"<html>sign in</html>")
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    with pytest.raises(InfrastructureError, match="is not a wheel"):
        read_dist_info(file, "RECORD", client)


def test_a_server_that_stops_answering_in_pieces_is_told(index: Index, tmp_path: Path) -> None:
    name, body = wheel("thing", "1.0")
    index.add(name, body)

    def once(request: Request) -> Reply:
        if request.headers.get("range", "").startswith("bytes=-"):
            return Reply(body[-50:], 206, {"Content-Range": f"bytes {len(body) - 50}-{len(body) - 1}/{len(body)}"})
        return Reply(body)

    index.server.routes[f"/simple-files/{name}"] = once
    client = index.client(tmp_path)
    (file,) = client.files("thing", "1.0")
    with pytest.raises(InfrastructureError, match="can't be read in pieces any more"):
        read_dist_info(file, "RECORD", client)


def test_the_installed_wheel_is_told_from_another_of_the_same_name(index: Index, tmp_path: Path) -> None:
    name, ours = wheel("thing", "1.0", body="ours")
    _, theirs = wheel("thing", "1.0", body="theirs")
    index.add(name, theirs)
    other = Index(index.server, "/other")
    other.add(name, ours)
    client = index.client(tmp_path, other.url)
    files = client.files("thing", "1.0")
    found = installed_file(unpacked(tmp_path, ours), files, client)
    assert (len(files), found and found.sha256) == (2, Digest.of(ours))
    _, third = wheel("thing", "1.0", body="third")
    assert installed_file(unpacked(tmp_path / "third", third), files, client) is None


def test_announced_metadata_that_differ_from_the_installed_raise_a_doubt(index: Index, tmp_path: Path) -> None:
    name, body = wheel("thing", "1.0", "six")
    index.add(name, body, beside=True)
    (file,) = index.client(tmp_path / "1").files("thing", "1.0")
    assert not doubtful(unpacked(tmp_path / "same", body), file)
    assert doubtful(unpacked(tmp_path / "other", wheel("thing", "1.0", "seven")[1]), file)
    assert not doubtful(installed("thing"), file)


def test_a_wheel_is_found_among_the_downloads_of_pip(tmp_path: Path) -> None:
    name, body = wheel("thing", "1.0", body="ours")
    cache = tmp_path / "cache"
    folder = cache / "http-v2" / "a" / "b" / "c" / "d" / "e"
    folder.mkdir(parents=True)
    (folder / "abcde1.body").write_bytes(wheel("thing", "1.0", body="another")[1])
    (folder / "abcde2.body").write_bytes(b"{}")
    (folder / "abcde3.body").write_bytes(b"PK\x03\x04 cut")
    distribution = unpacked(tmp_path, body)
    assert cached_wheel(distribution, cache, tmp_path) is None
    (folder / "abcde4.body").write_bytes(body)
    found = cached_wheel(distribution, cache, tmp_path)
    assert found is not None
    assert (found.name, found.read_bytes()) == (name, body)
    assert cached_wheel(distribution, tmp_path / "nothing", tmp_path) is None


def test_pip_says_where_its_cache_is(tmp_path: Path) -> None:
    assert pip_cache({"PIP_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert pip_cache({}).name in {"pip", "Cache"}
