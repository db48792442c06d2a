"""Hugging Face: caches inside the project name their source, the hub is asked by commit, caches outside get advice."""

import hashlib
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.sources import hub_advice
from tests.http.servers import Reply, serve
from tests.sources.projects import BODY, fetch, locked, sources, statuses, written

COMMIT = "11c5a3d5811f50298f278a704980280950aedb10"


def git_id(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def cached(root: Path, repo: str, path: str, body: bytes, etag: str) -> str:
    """A file as huggingface_hub leaves it in its cache; returns its path below the root."""
    folder = root / "hub" / repo
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs" / etag).write_bytes(body)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    link = folder / "snapshots" / COMMIT / path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path(*[".."] * (2 + path.count("/")), "blobs", etag))
    return link.relative_to(root).as_posix()


@pytest.mark.parametrize(
    ("repo", "expected"),
    [
        ("models--org--name", f"hf://org/name@{COMMIT}/sub/weights.bin"),
        ("datasets--org--name", f"hf://datasets/org/name@{COMMIT}/sub/weights.bin"),
        ("models--gpt2", f"hf://gpt2@{COMMIT}/sub/weights.bin"),
    ],
)
def test_a_file_of_a_snapshot_tells_where_it_comes_from(root: Path, repo: str, expected: str) -> None:
    path = cached(root, repo, "sub/weights.bin", BODY, Digest.of(BODY).hex)
    assert sources(root, [locked(path)]) == {path: expected}


def test_a_blob_is_known_by_the_snapshot_that_links_to_it(root: Path) -> None:
    cached(root, "models--org--name", "config.json", b"{}", git_id(b"{}"))
    blob = f"hub/models--org--name/blobs/{git_id(b'{}')}"
    assert sources(root, [locked(blob, b"{}")]) == {blob: f"hf://org/name@{COMMIT}/config.json"}


@pytest.mark.parametrize("large", [True, False])
def test_a_file_that_was_edited_has_no_source(root: Path, large: bool) -> None:
    etag = Digest.of(b"as downloaded").hex if large else git_id(b"as downloaded")
    path = cached(root, "models--org--name", "config.json", b"edited", etag)
    assert sources(root, [locked(path, b"edited")]) == {path: None}


def test_the_hub_is_asked_by_commit_with_the_users_token(root: Path) -> None:
    with serve() as server:

        def reply(body: bytes) -> Reply:
            return Reply(b"", 302, {"Location": f"{server.url}/cdn/{body.decode()}"})

        server.routes[f"/org/name/resolve/{COMMIT}/sub/w%20ü.bin".replace("ü", "%C3%BC")] = lambda _: reply(b"1")
        server.routes[f"/datasets/org/name/resolve/{COMMIT}/x.parquet"] = lambda _: reply(b"2")
        server.add("/cdn/1", BODY)
        server.add("/cdn/2", b"table")
        one = locked("w.bin", BODY, f"hf://org/name@{COMMIT}/sub/w ü.bin")
        two = locked("x.parquet", b"table", f"hf://datasets/org/name@{COMMIT}/x.parquet")
        report = fetch(root, one, two, HF_ENDPOINT=server.url, HF_TOKEN="hf_x")
        assert statuses(report) == {"w.bin": "fetched", "x.parquet": "fetched"}
        assert server.log[0].headers["authorization"] == "Bearer hf_x"


def test_a_login_is_found_where_the_hubs_own_tool_keeps_it(root: Path) -> None:
    home = root.parent / "hf"
    written(home, "token", b"hf_kept\n")
    with serve() as server:
        server.routes[f"/org/name/resolve/{COMMIT}/x"] = lambda _: Reply(b"", 401)
        report = fetch(root, locked("x", BODY, f"hf://org/name@{COMMIT}/x"), HF_ENDPOINT=server.url, HF_HOME=str(home))
        assert server.log[0].headers["authorization"] == "Bearer hf_kept"
    assert "HF_TOKEN" in (report.files[0].fix or "")


def test_a_cache_outside_of_the_project_gets_advice(root: Path) -> None:
    outside = root.parent
    path = outside / cached(outside, "models--org--name", "sub/x.bin", BODY, Digest.of(BODY).hex)
    for spelled in (path, path.resolve()):
        advice = hub_advice(str(spelled)) or ""
        assert f"hf download org/name --revision {COMMIT} --local-dir models/name" in advice
    data = outside / cached(outside, "datasets--org--name", "x.parquet", b"x", git_id(b"x"))
    assert "--repo-type dataset " in (hub_advice(str(data)) or "")
    assert hub_advice(str(outside / "x.bin")) is None
