"""All records of an environment: who owns which path, what was asked for, and damage, told at once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from repro.conda.environment import is_conda, read_prefix, requested_in
from repro.errors import CaptureError


def write_record(prefix: Path, name: str, *files: str, **more: Any) -> Path:
    path = prefix / "conda-meta" / f"{name}-1-0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {"name": name, "version": "1", "build": "0", "subdir": "noarch", "fn": f"{name}-1-0.conda"}
    path.write_text(json.dumps({**plain, "files": list(files), **more}), encoding="utf-8")
    return path


def test_paths_have_owners(tmp_path: Path) -> None:
    write_record(tmp_path, "b", "share/both", "share/b")
    write_record(tmp_path, "a", "share/both")
    found = read_prefix(tmp_path)
    assert [record.name for record in found.records] == ["a", "b"]
    assert [record.name for record, _ in found.owners_of(str(tmp_path / "share/both"))] == ["a", "b"]
    assert found.owners_of(str(tmp_path / "share/none")) == ()
    assert found.owners_of("/elsewhere") == ()


def test_owners_are_found_by_any_way_to_the_environment(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    write_record(real, "a", "share/a")
    (real / "share").mkdir()
    link.symlink_to(real)
    for way in (real, link):
        found = read_prefix(way)
        assert len(found.owners_of(os.fspath(real / "share" / "a"))) == 1
        assert len(found.owners_of(os.fspath(link / "share" / "a"))) == 1


def test_a_folder_without_records_is_no_conda_environment(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "history").touch()
    assert not is_conda(tmp_path)


def test_all_damaged_records_are_told_with_their_cure(tmp_path: Path) -> None:
    write_record(tmp_path, "a").write_text("{", encoding="utf-8")
    write_record(tmp_path, "b", version=3)
    write_record(tmp_path, "c").write_bytes(b"\xff\xfe{}")
    with pytest.raises(CaptureError) as caught:
        read_prefix(tmp_path)
    told = str(caught.value)
    assert "a-1-0.json: it is no JSON" in told
    assert "b-1-0.json: version must be a text" in told
    assert "c-1-0.json" in told
    assert "conda install --force-reinstall" in (caught.value.fix or "")


def test_two_records_of_one_package_are_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path, "a")
    path.with_name("a-2-0.json").write_bytes(path.read_bytes())
    with pytest.raises(CaptureError, match="two records of it"):
        read_prefix(tmp_path)


def test_what_was_asked_for_is_told_by_records_and_history(tmp_path: Path) -> None:
    for name in ("python", "numpy", "pandas", "six"):
        write_record(tmp_path, name, **({"requested_spec": "pandas"} if name == "pandas" else {}))
    (tmp_path / "conda-meta" / "history").write_text(
        "==> 2026-01-02 03:04:05 <==\n"
        "# update specs: ['conda-forge::python=3.11', 'numpy', 'scipy']\n"
        "+numpy\n"
        "# remove specs: ['numpy']\n"
        "# update specs: [broken\n",
        encoding="utf-8",
    )
    assert requested_in(tmp_path / "conda-meta" / "history") == {"python", "scipy"}
    assert read_prefix(tmp_path).asked == {"python", "pandas"}


def test_what_mamba_emptied_is_read_from_the_unpacked_package(tmp_path: Path) -> None:
    unpacked = tmp_path / "pkgs" / "a-1-0"
    (unpacked / "info").mkdir(parents=True)
    emptied = {"depends": [], "size": 0, "extracted_package_dir": str(unpacked)}
    write_record(tmp_path, "a", **emptied)
    assert read_prefix(tmp_path).records[0].depends == ()
    (unpacked / "info" / "index.json").write_text(json.dumps({"depends": ["python", 3]}))
    assert read_prefix(tmp_path).records[0].depends == ()
    (unpacked / "info" / "index.json").write_text(json.dumps({"depends": ["python >=3.11"], "constrains": ["b <2"]}))
    found = read_prefix(tmp_path).records[0]
    assert (found.depends, found.constrains) == (("python >=3.11",), ("b <2",))
