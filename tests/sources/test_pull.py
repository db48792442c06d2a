"""Pulling over real connections: what is missing comes, what is different is told, and nothing unasked is replaced."""

import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from repro.digest import Digest
from repro.errors import ExitCode
from repro.http import per_thread, session
from repro.progress import Silent
from repro.sources import Network, pull
from tests.http.servers import Reply, Request, serve
from tests.sources.projects import BODY, fetch, locked, statuses, written


def leftovers(root: Path) -> list[str]:
    return [path.name for path in (root / ".repro" / "pull").rglob("*") if path.is_file()]


def test_missing_files_are_fetched_and_get_their_permissions(root: Path) -> None:
    with serve() as server:
        one = locked("data/sub/ü 1.csv", BODY, server.add("/1", BODY))
        two = locked("bin/tool", b"#!", server.add("/2", b"#!"), executable=True)
        report = fetch(root, one, two)
    assert statuses(report) == {one.path: "fetched", two.path: "fetched"}
    assert (root / one.path).read_bytes() == BODY
    assert [(root / file.path).stat().st_mode & 0o777 for file in (one, two)] == [0o644, 0o755]
    assert (report.exit_code, report.fetched, leftovers(root)) == (ExitCode.OK, len(BODY) + 2, [])
    assert (root / ".repro" / ".gitignore").read_text() == "*\n"


def test_what_is_here_is_not_asked_for(root: Path) -> None:
    file = written(root, "data/x.csv")
    with serve() as server:
        report = fetch(root, locked(file.path, BODY, server.url + "/x"))
        assert server.log == []
    assert statuses(report) == {file.path: "present"}


@pytest.mark.parametrize("other", [b"edited", BODY[:-1] + b"!"], ids=["another size", "the same size"])
def test_a_changed_file_stays_unless_forced(root: Path, other: bytes) -> None:
    with serve() as server:
        file = locked("data/x.csv", BODY, server.add("/x", BODY))
        written(root, file.path, other)
        report = fetch(root, file)
        assert (root / file.path).read_bytes() == other
        assert statuses(report) == {file.path: "changed"}
        assert report.exit_code == ExitCode.USAGE
        assert "--force" in (report.files[0].fix or "")
        assert statuses(fetch(root, file, force=True)) == {file.path: "fetched"}
    assert (root / file.path).read_bytes() == BODY


def test_a_dry_run_only_looks(root: Path) -> None:
    with serve() as server:
        file = locked("data/x.csv", BODY, server.add("/x", BODY))
        report = fetch(root, file, dry_run=True)
        assert server.log == []
    assert statuses(report) == {file.path: "would-fetch"}
    assert list(root.iterdir()) == []


def test_other_bytes_than_locked_never_get_the_name(root: Path) -> None:
    with serve() as server:
        wrong = locked("data/x.csv", BODY, server.add("/x", BODY[::-1]))
        longer = locked("data/y.csv", b"short", server.add("/y", BODY))
        right = locked("data/z.csv", b"fine", server.add("/z", b"fine"))
        report = fetch(root, wrong, longer, right)
    assert statuses(report) == {wrong.path: "failed", longer.path: "failed", right.path: "fetched"}
    assert report.exit_code == ExitCode.TAMPERED
    assert str(Digest.of(BODY[::-1])) in (report.files[0].problem or "")
    assert "more than 5 bytes" in (report.files[1].problem or "")
    assert sorted(path.name for path in (root / "data").iterdir()) == ["z.csv"]


def test_a_missing_file_without_a_source_is_told(root: Path) -> None:
    report = fetch(root, locked("data/x.csv"))
    assert statuses(report) == {"data/x.csv": "failed"}
    assert report.exit_code == ExitCode.INFRASTRUCTURE
    assert "no source" in (report.files[0].problem or "")


def test_what_a_host_refuses_is_told_with_the_host(root: Path) -> None:
    with serve() as server:
        gone = locked("a", b"a", f"{server.url}/gone")
        server.routes["/secret"] = lambda _: Reply(b"", 403)
        secret = locked("b", b"b", f"{server.url}/secret")
        report = fetch(root, gone, secret)
    assert "404" in (report.files[0].problem or "")
    assert "localhost" in (report.files[1].fix or "")
    assert report.exit_code == ExitCode.INFRASTRUCTURE


def test_files_of_the_same_content_are_fetched_once(root: Path) -> None:
    with serve() as server:
        source = server.add("/x", BODY)
        report = fetch(root, *(locked(f"data/{number}.csv", BODY, source) for number in range(3)))
        assert len(server.log) == 1
    assert set(statuses(report).values()) == {"fetched"}
    assert [file.like for file in report.files] == [None, "data/0.csv", "data/0.csv"]
    assert {path.read_bytes() for path in (root / "data").iterdir()} == {BODY}


def cut_after(*lengths: int | None) -> Callable[[Request], Reply]:
    """Bodies that break off, one after the other, each going on where the client asks."""
    cuts = iter(lengths)

    def reply(request: Request) -> Reply:
        first = int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        headers = {"Content-Range": f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"} if first else {}
        return Reply(BODY[first:], 206 if first else 200, headers, cut=next(cuts))

    return reply


def test_a_broken_download_goes_on_where_it_stopped(root: Path) -> None:
    with serve() as server:
        server.routes["/x"] = cut_after(300_000, 400_000, None)
        report = fetch(root, locked("x", BODY, f"{server.url}/x"))
        begun = [int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1]) for request in server.log]
        assert len(begun) == 3
        assert 0 == begun[0] < begun[1] < begun[2]
    assert statuses(report) == {"x": "fetched"}


def test_the_next_pull_goes_on_and_checks_what_it_found(root: Path) -> None:
    file = locked("x", BODY, None)
    begun = root / ".repro" / "pull" / "partial" / file.sha256.hex
    begun.parent.mkdir(parents=True)
    for content, asked in ((BODY[:5000], ["bytes=5000-"]), (b"!" * 5000, ["bytes=5000-", None])):
        begun.write_bytes(content)
        with serve() as server:
            report = fetch(root, locked("x", BODY, server.add("/x", BODY)))
            assert [request.headers.get("range") for request in server.log] == asked
        assert statuses(report) == {"x": "fetched"}
        (root / "x").unlink()


def test_a_host_that_can_not_begin_in_the_middle_sends_all_again(root: Path) -> None:
    file = locked("x", BODY, None)
    begun = root / ".repro" / "pull" / "partial" / file.sha256.hex
    begun.parent.mkdir(parents=True)
    begun.write_bytes(BODY[:5000])
    with serve() as server:
        server.routes["/x"] = lambda _: Reply(BODY)
        assert statuses(fetch(root, locked("x", BODY, f"{server.url}/x"))) == {"x": "fetched"}


def test_a_company_certificate_is_trusted_when_it_is_named(root: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with serve(context) as server:
        file = locked("x", BODY, server.add("/x", BODY))
        refused = fetch(root, file)
        assert "not trusted" in (refused.files[0].problem or "")
        network = Network(per_thread(lambda: session(ca_cert=pem)))
        assert statuses(pull(root, [file], network=network, progress=Silent())) == {"x": "fetched"}


def test_local_places_are_read(root: Path) -> None:
    store = root.parent / "store" / "x ü.csv"
    store.parent.mkdir()
    store.write_bytes(BODY)
    near = locked("near.csv", BODY, "file:../store/x%20%C3%BC.csv")
    far = locked("far.csv", BODY, store.as_uri())
    gone = locked("gone.csv", b"gone", "file:../store/gone.csv")
    report = fetch(root, near, far, gone)
    assert statuses(report) == {"near.csv": "fetched", "far.csv": "fetched", "gone.csv": "failed"}
    assert "store/gone.csv" in (report.files[2].problem or "")


def test_a_folder_that_leads_out_of_the_project_is_not_written_to(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "data").symlink_to(outside)
    with serve() as server:
        report = fetch(root, locked("data/x.csv", BODY, server.add("/x", BODY)), force=True)
        assert server.log == []
    assert "out of the project" in (report.files[0].problem or "")
    assert list(outside.iterdir()) == []


def test_a_broken_link_counts_as_missing_and_is_replaced(root: Path) -> None:
    (root / "x").symlink_to(root / ".dvc" / "cache" / "gone")
    with serve() as server:
        assert statuses(fetch(root, locked("x", BODY, server.add("/x", BODY)))) == {"x": "fetched"}
    assert not (root / "x").is_symlink()


def test_a_folder_in_the_way_is_left_alone(root: Path) -> None:
    (root / "x").mkdir()
    (root / "file").write_bytes(b"")
    with serve() as server:
        source = server.add("/x", BODY)
        report = fetch(root, locked("x", BODY, source), locked("file/y", BODY, source), force=True)
    assert statuses(report) == {"x": "failed", "file/y": "failed"}
    assert report.exit_code == ExitCode.USAGE


def test_what_appears_meanwhile_is_never_overwritten(root: Path) -> None:
    def reply(_: Request) -> Reply:
        (root / "x").write_bytes(b"mine")
        return Reply(BODY)

    with serve() as server:
        server.routes["/x"] = reply
        report = fetch(root, locked("x", BODY, f"{server.url}/x"))
        assert statuses(report) == {"x": "failed"}
        assert (root / "x").read_bytes() == b"mine"
        (root / "x").unlink()
        assert statuses(fetch(root, locked("x", BODY, f"{server.url}/x"))) == {"x": "fetched"}
        assert len(server.log) == 1, "what was fetched then is kept for the next pull"


@pytest.mark.parametrize("source", ["ftp://host/x", "models:/churn/1", "https://anna:pw@localhost/x"])
def test_a_source_that_no_capture_writes_is_not_followed(root: Path, source: str) -> None:
    report = fetch(root, locked("x", BODY, source))
    assert statuses(report) == {"x": "failed"}
    assert "source can't be used" in (report.files[0].problem or "")


def test_ctrl_c_ends_it_and_the_next_pull_goes_on(root: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.sources.projects import fetch, locked\n"
        "fetch(Path(sys.argv[1]), locked('x', source=sys.argv[2]))"
    )
    release = threading.Event()
    with serve() as server:
        server.routes["/x"] = lambda _: Reply(BODY, cut=600_000, hold=release)
        command = [sys.executable, "-c", code, str(root), f"{server.url}/x"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        begun = root / ".repro" / "pull" / "partial" / Digest.of(BODY).hex
        deadline = threading.Event()
        while not (begun.is_file() and server.log):
            assert process.poll() is None
            deadline.wait(0.05)
        deadline.wait(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        release.set()
        assert b"KeyboardInterrupt" in err
        assert not (root / "x").exists()
        server.add("/x", BODY)
        assert statuses(fetch(root, locked("x", BODY, f"{server.url}/x"))) == {"x": "fetched"}
