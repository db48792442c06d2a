"""Indexes of channels as local files."""

import json
import sys
from pathlib import Path

import pytest

from repro.conda.caches import Stated
from repro.conda.repodata import Repodata
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.http import per_thread, session
from tests.conda_channel.server import serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENTRY = {"sha256": "ab" * 32, "md5": "cd" * 16, "size": 12}
INDEX = json.dumps({"packages": {"old-1-0.tar.bz2": ENTRY}, "packages.conda": {"x-1-0.conda": ENTRY}}).encode()
STATED = Stated(Digest("ab" * 32), 12, "cd" * 16)


def write(folder: Path, name: str, data: bytes) -> None:
    place = folder / "main" / "noarch"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(data)


@pytest.fixture
def repodata(tmp_path: Path) -> Repodata:
    (tmp_path / "indexes").mkdir()
    return Repodata(per_thread(session), tmp_path / "indexes")


@pytest.mark.parametrize(("name", "data"), [("repodata.json", INDEX), ("repodata.json.zst", zstd.compress(INDEX))])
def test_an_index_is_fetched_once_in_either_form(name: str, data: bytes, tmp_path: Path, repodata: Repodata) -> None:
    write(tmp_path, name, data)
    with serving(tmp_path) as server:
        for file in ("x-1-0.conda", "old-1-0.tar.bz2"):
            assert repodata.stated(f"{server.url()}/noarch/{file}", "noarch") == STATED
        assert repodata.stated(f"{server.url()}/noarch/gone-1-0.conda", "noarch") is None
        assert repodata.file(server.url(), "linux-64") is None
        path = repodata.file(f"{server.url()}/", "noarch")
        assert path is not None
        assert path.read_bytes() == INDEX
        assert len([one for one in server.requests if one.endswith(f"noarch/{name}")]) == 1


def test_an_index_in_a_folder_is_read_in_place(tmp_path: Path, repodata: Repodata) -> None:
    write(tmp_path, "repodata.json", INDEX)
    channel = tmp_path / "main"
    assert repodata.file(channel.as_uri(), "noarch") == channel / "noarch" / "repodata.json"
    assert repodata.stated(f"{channel.as_uri()}/noarch/x-1-0.conda", "noarch") == STATED
    assert repodata.file(channel.as_uri(), "linux-64") is None


def test_damage_is_told(tmp_path: Path, repodata: Repodata) -> None:
    write(tmp_path, "repodata.json.zst", zstd.compress(INDEX)[:-8])
    with serving(tmp_path) as server, pytest.raises(IntegrityError):
        repodata.file(server.url(), "noarch")
    write(tmp_path, "repodata.json", b"<html>")
    with pytest.raises(InfrastructureError, match="no JSON"):
        repodata.stated(f"{(tmp_path / 'main').as_uri()}/noarch/x-1-0.conda", "noarch")


def test_a_channel_that_refuses_is_told_without_its_token(tmp_path: Path, repodata: Repodata) -> None:
    write(tmp_path, "repodata.json", INDEX)
    with serving(tmp_path, token="right") as server, pytest.raises(InfrastructureError, match="403") as caught:
        repodata.file(f"{server.address}/t/wrong-token/main", "noarch")
    assert "wrong-token" not in str(caught.value)
