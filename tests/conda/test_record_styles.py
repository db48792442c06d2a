"""Conda, mamba and pixi write one installation in three styles; what it comes to is the same."""

import json
from pathlib import Path

import pytest

from repro.conda.records import InstalledPath, Record, parse_record
from tests.conda_channel.environments import make_environment
from tests.conda_channel.server import ChannelServer
from tests.conda_channel.shared import Channels
from tests.conda_channel.styles import rewrite_as_conda, rewrite_as_mamba

RECORDS = Path(__file__).parents[1] / "conda_records"


def read(path: Path) -> Record:
    return parse_record(json.loads(path.read_bytes()), path)


def sources(record: Record) -> dict[str, InstalledPath]:
    return {one.path: one for one in record.paths if not one.compiled}


@pytest.mark.parametrize("name", ["pip-conda", "pip-mamba", "pip-pixi"])
def test_paths_are_those_in_the_environment(name: str) -> None:
    found = sources(read(RECORDS / f"{name}.json"))
    assert found
    assert not [path for path in found if path.startswith(("site-packages/", "python-scripts/"))]
    assert {path.split("/")[0] for path in found} <= {"lib", "bin", "share", "etc", "man"}


@pytest.mark.parametrize("rewrite", [None, rewrite_as_conda, rewrite_as_mamba])
def test_sizes_and_hashes_are_those_on_the_disk(
    rewrite: object, conda_channel: Channels, conda_server: ChannelServer, tmp_path: Path
) -> None:
    prefix = tmp_path / "env"
    make_environment(conda_server.url(), ("python=3.11", "pip", "libdemo"), prefix, conda_channel.cache)
    if callable(rewrite):
        rewrite(prefix)
    known = 0
    for path in (prefix / "conda-meta").glob("*.json"):
        for one in sources(read(path)).values():
            place = prefix / one.path
            assert place.exists() or place.is_symlink(), one
            if one.size is not None and not place.is_symlink():
                assert place.stat().st_size == one.size, one
            known += one.sha256 is not None
    assert known > 500
