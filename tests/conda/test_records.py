"""Records of conda-meta as values, from each tool and in each style; damaged ones are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from repro.conda.records import DamagedRecordError, Record, parse_record

RECORDS = Path(__file__).parents[1] / "conda_records"


def read(name: str) -> Record:
    path = RECORDS / f"{name}.json"
    return parse_record(json.loads(path.read_bytes()), path)


def record(**fields: Any) -> Record:
    plain = {"name": "x", "version": "1", "build": "0", "subdir": "noarch", "fn": "x-1-0.conda", **fields}
    return parse_record(plain, Path("x-1-0.json"))


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_one_is_understood(path: Path) -> None:
    raw, found = json.loads(path.read_bytes()), read(path.stem)
    assert (found.name, found.version, found.build) == (raw["name"], raw["version"], raw["build"])
    assert found.archive.startswith(f"{found.name}-{found.version}-{found.build}.")
    assert found.url == raw["url"]
    assert len([one for one in found.paths if one.path]) == len(raw["paths_data"]["paths"])


def test_secrets_stay_out_of_what_is_shown() -> None:
    for name in ("private-token", "private-login"):
        found = read(name)
        raw = json.loads((RECORDS / f"{name}.json").read_bytes())
        assert found.public_url is not None
        assert raw["url"] not in repr(found)
        assert raw["channel"] not in repr(found)
        assert "@" not in found.public_url
        assert "/t/" not in f"{found.public_url}{found.public_channel}"


def test_what_channels_of_this_machine_are_called() -> None:
    assert read("local-channel").public_channel == "file"
    assert read("local-file").public_channel == "file"


def test_old_records_have_no_sha256_and_a_size_of_nothing_counts_as_none() -> None:
    assert (read("defaults-md5-only").sha256, read("defaults-md5-only").size) == (None, None)
    assert read("mamba-explicit-emptied").size is None


def test_the_archive_is_what_the_url_says_where_they_differ() -> None:
    assert read("pip-mamba").archive.endswith(".conda")


def test_a_file_that_was_laid_aside_belongs_where_it_would_have_been() -> None:
    row = {"_path": "__clobbers__/x/share/a.txt", "original_path": "share/a.txt", "path_type": "hardlink"}
    found = record(files=["__clobbers__/x/share/a.txt"], paths_data={"paths": [row]})
    assert [one.path for one in found.paths] == ["share/a.txt"]


def test_files_alone_do_where_there_is_no_more() -> None:
    (one,) = record(files=["lib/a.py"]).paths
    assert (one.path, one.sha256, one.size) == ("lib/a.py", None, None)


def test_without_a_url_it_is_where_the_channel_would_have_it() -> None:
    assert record(channel="conda-forge").url == "https://conda.anaconda.org/conda-forge/noarch/x-1-0.conda"
    assert record(channel="https://host.example/c/noarch").url == "https://host.example/c/noarch/x-1-0.conda"
    assert record(channel="<unknown>").url == ""


def test_requests_are_told_in_two_ways() -> None:
    assert record(requested_spec="x >=1").requested == ("x >=1",)
    assert record(requested_specs=["x", "x 1"], requested_spec="x").requested == ("x", "x 1")
    assert record(requested_spec="None").requested == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": 3}, "name must be a text"),
        ({"version": None}, "version must be a text"),
        ({"fn": "x.conda"}, "not the file name of a conda package"),
        ({"size": -1}, "size must be a whole number"),
        ({"sha256": "abc"}, "sha256 is no such hash"),
        ({"depends": "python"}, "depends must be a list"),
        ({"subdir": None}, "subdir is missing"),
        ({"files": ["../../etc/passwd"]}, "no path inside"),
        ({"paths_data": {"paths": [{"_path": "/etc/passwd"}]}}, "no path inside"),
        ({"paths_data": {"paths": [3]}}, "no path inside"),
    ],
)
def test_a_damaged_field_is_named(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DamagedRecordError, match=told):
        record(**fields)
