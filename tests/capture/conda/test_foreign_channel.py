"""A Mac's environment made from a real channel, locked for Linux from the same channel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.capture.conda.archives import ArchiveFinder
from repro.capture.conda.foreign import foreign_packages, is_foreign
from repro.conda.environment import CondaPrefix, read_prefix
from repro.conda.repodata import Repodata
from repro.errors import CaptureError
from repro.http import per_thread, session
from repro.lock import CondaPackage
from repro.progress import Silent
from repro.store import ObjectStore
from tests.conda_channel.channel import without_sha256
from tests.conda_channel.environments import make_environment
from tests.conda_channel.server import ChannelServer, serving
from tests.conda_channel.shared import Channels


@pytest.fixture(scope="module")
def server(conda_channel: Channels) -> Iterator[ChannelServer]:
    with serving(conda_channel.folder) as running:
        yield running


def mac(tmp_path: Path, cache: Path, url: str, *specs: str) -> CondaPrefix:
    make_environment(url, specs, tmp_path / "env", cache, subdir="osx-arm64")
    return read_prefix(tmp_path / "env")


def solve(prefix: CondaPrefix, tmp_path: Path) -> dict[str, CondaPackage]:
    (tmp_path / "indexes").mkdir()
    repodata = Repodata(per_thread(session), tmp_path / "indexes")
    store = ObjectStore(tmp_path / "objects")
    archives = ArchiveFinder((), store, ObjectStore(tmp_path / "cache"), per_thread(session), repodata, Silent())
    found = foreign_packages(
        prefix, target="linux/amd64", glibc="2.36", repodata=repodata.file, archives=archives, progress=Silent()
    )
    return {one.name: one for one in found}


def test_over_http_the_lock_has_the_channels_own_hashes(
    conda_channel: Channels, server: ChannelServer, tmp_path: Path
) -> None:
    prefix = mac(tmp_path, conda_channel.cache, server.url(), "python", "numpy")

    found = solve(prefix, tmp_path)

    assert is_foreign(prefix, "linux/amd64")
    assert {name: found[name].version for name in ("python", "numpy")} == {
        name: prefix.named[name].version for name in ("python", "numpy")
    }
    assert "libcxx" in prefix.named
    assert "libcxx" not in found
    numpy = found["numpy"]
    archive = conda_channel.main / "linux-64" / numpy.file
    assert (numpy.url, numpy.size) == (f"{server.url()}/linux-64/{numpy.file}", archive.stat().st_size)
    assert numpy.sha256 == numpy.sha256.of_file(archive)


def test_from_a_folder_archives_are_kept(conda_channel: Channels, tmp_path: Path) -> None:
    found = solve(mac(tmp_path, conda_channel.cache, conda_channel.url, "libdemo"), tmp_path)

    libdemo = found["libdemo"]
    assert (libdemo.channel, libdemo.url, libdemo.subdir) == ("file", None, "linux-64")
    assert ObjectStore(tmp_path / "objects").has(libdemo.sha256)


def test_archives_of_an_old_index_are_fetched_to_be_hashed(conda_channel: Channels, tmp_path: Path) -> None:
    without_sha256(conda_channel.main, tmp_path / "channels" / "old")
    with serving(tmp_path / "channels") as server:
        found = solve(mac(tmp_path, conda_channel.cache, server.url("old"), "libdemo"), tmp_path)

    archive = conda_channel.main / "linux-64" / found["libdemo"].file
    assert found["libdemo"].sha256 == found["libdemo"].sha256.of_file(archive)


def test_what_only_a_mac_has_is_named(conda_channel: Channels, server: ChannelServer, tmp_path: Path) -> None:
    prefix = mac(tmp_path, conda_channel.cache, server.url(), "metaldemo", "unevendemo")

    with pytest.raises(CaptureError) as caught:
        solve(prefix, tmp_path)

    metal, uneven = caught.value.problems
    assert metal.startswith("metaldemo 1.0 has no build for linux-64, nor has any other version")
    assert uneven.startswith("unevendemo 2.1 has no build for linux-64; there is 2.2, 2.0, 1.8; install unevendemo=2.2")


def test_archives_that_the_channel_lost_are_named_together(conda_channel: Channels, tmp_path: Path) -> None:
    with serving(conda_channel.folder) as server:
        prefix = mac(tmp_path, conda_channel.cache, server.url(), "libblas", "libdemo")
        server.lost.update(path.name for path in (conda_channel.main / "linux-64").glob("lib*.conda"))
        with pytest.raises(CaptureError) as caught:
            solve(prefix, tmp_path)

    assert caught.value.what.endswith("conda packages for linux/amd64 can't be had")
    assert {problem.partition("=")[0] for problem in caught.value.problems} >= {"libblas", "libdemo"}
    assert all("no longer in its channel" in problem for problem in caught.value.problems)
