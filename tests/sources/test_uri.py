"""Sources as text: what can be written down, what can't, and how places of folders are extended."""

from pathlib import Path

import pytest

from repro.sources.uri import (
    Bucket,
    HubFile,
    LfsObject,
    below,
    folder_problem,
    local_path,
    local_source,
    parse_gs,
    parse_hub,
    parse_lfs,
    parse_s3,
    problem_of,
)

COMMIT = "11c5a3d5811f50298f278a704980280950aedb10"
OID = "ab" * 32

GOOD = [
    "https://example.org/data/x.csv?download=1",
    "s3://bucket/key with space.csv",
    "s3://bucket/a/b.csv?versionId=3f76.ebca_x&endpoint=https://minio.example.org:9000",
    "gs://bucket/a#b.csv#1700000000000000",
    f"hf://org/name@{COMMIT}/sub/model.safetensors",
    f"hf://datasets/org/name@{COMMIT}/x.parquet",
    f"hf://gpt2@{COMMIT}/config.json",
    f"git-lfs+https://host/org/repo.git/info/lfs#sha256={OID}",
    f"git-lfs+ssh://git@host/org/repo.git#sha256={OID}",
    "file:///mnt/nas/x.csv",
    "file:~/store/x.csv",
    "file:../store/x.csv",
]
BAD = {
    "x.csv": "must be a URL",
    "ftp://host/x": "must be a URL",
    "models:/churn/1": "must be a URL",
    "https:///x": "must name a host",
    "https://example.org/": "must name a file",
    "https://anna:pw@example.org/x": "credentials",
    "https://bucket.s3.amazonaws.com/x?X-Amz-Signature=abc": "credentials",
    "s3://bucket": "s3://bucket/key",
    "s3://AK:SECRET@bucket/x": "credentials",
    "s3://bucket/x?endpoint=https://AK:SECRET@minio.example.org": "credentials",
    "hf://org/name@main/x": "commit",
    "hf://org/name/x": "hf://org/name@commit/file",
    "git-lfs+https://host/repo.git": "sha256",
    f"git-lfs+https://anna:pw@host/repo.git#sha256={OID}": "credentials",
}


@pytest.mark.parametrize("text", GOOD)
def test_what_can_be_fetched_is_no_problem(text: str) -> None:
    assert problem_of(text) is None


@pytest.mark.parametrize("text", BAD)
def test_what_can_not_be_fetched_or_holds_a_secret_is_refused_with_the_reason(text: str) -> None:
    assert BAD[text] in (problem_of(text) or "")


def test_each_form_is_read_into_its_parts() -> None:
    assert parse_s3(GOOD[1]) == Bucket("bucket/key with space.csv", None)
    assert parse_s3(GOOD[2]) == Bucket("bucket/a/b.csv", "3f76.ebca_x", "https://minio.example.org:9000")
    assert parse_s3("s3://b/what?.csv") == Bucket("b/what?.csv", None)
    assert parse_gs(GOOD[3]) == Bucket("bucket/a#b.csv", "1700000000000000")
    assert parse_hub(GOOD[4]) == HubFile("org/name", COMMIT, "sub/model.safetensors")
    assert parse_hub(GOOD[5]) == HubFile("datasets/org/name", COMMIT, "x.parquet")
    assert parse_hub(GOOD[6]) == HubFile("gpt2", COMMIT, "config.json")
    assert parse_lfs(GOOD[8]) == LfsObject("ssh://git@host/org/repo.git", OID)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("https://example.org/data/", "https://example.org/data/sub/x%20%C3%BC.csv"),
        ("s3://bucket/data/", "s3://bucket/data/sub/x ü.csv"),
        ("s3://bucket/d/?endpoint=https://m.example.org", "s3://bucket/d/sub/x ü.csv?endpoint=https://m.example.org"),
        (f"hf://org/name@{COMMIT}/", f"hf://org/name@{COMMIT}/sub/x ü.csv"),
        ("file:~/data/", "file:~/data/sub/x%20%C3%BC.csv"),
    ],
)
def test_a_folder_is_extended_by_a_files_path(folder: str, file: str) -> None:
    assert folder_problem(folder) is None
    assert below(folder, "sub/x ü.csv") == file


def test_a_folders_place_must_end_with_a_slash() -> None:
    assert "must end with /" in (folder_problem("s3://bucket/data") or "")


def test_local_places_do_not_tell_whose_they_are(tmp_path: Path) -> None:
    home, root = Path.home(), tmp_path / "project"
    assert local_source(root / "in" / "x ü", root) == "file:in/x%20%C3%BC"
    assert local_source(home / "store" / "x", root) == "file:~/store/x"
    assert local_source(Path("/mnt/nas/x"), root) == "file:///mnt/nas/x"
    assert local_source(tmp_path / "store" / "x", root, relative="../store/x") == "file:../store/x"


def test_local_places_are_found_again(tmp_path: Path) -> None:
    home, root = Path.home(), tmp_path / "project"
    for path in (root / "in" / "x ü", home / "store" / "50 %.csv", Path("/mnt/nas/x#1")):
        assert local_path(local_source(path, root), root) == path
    assert local_path("file:../store/x", root).resolve() == (tmp_path / "store" / "x").resolve()
