"""Fetching over real connections: good ones, broken ones, wrong bytes, and Ctrl-C in the middle."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.http import per_thread, session
from repro.progress import Silent, Task
from repro.store import ObjectStore
from repro.store.fetch import Wanted, fetch_all
from tests.http.servers import Reply, Request, serve

BODY = bytes(range(256)) * 4096
SESSIONS = per_thread(session)


def wanted(url: str | None, body: bytes = BODY, name: str = "x-1.0-py3-none-any.whl") -> Wanted:
    return Wanted(name, Digest.of(body), len(body), url)


class Bytes(Silent):
    """Adds up what is reported."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.seen = 0.0

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002
        assert unit == "bytes"
        self.total = total
        return self

    def advance(self, amount: float = 1, detail: str = "") -> None:  # noqa: ARG002
        self.seen += amount

    def finish(self, summary: str = "") -> None:
        pass


@pytest.fixture
def cache(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache")


def fetch(cache: ObjectStore, *items: Wanted, stores: tuple[ObjectStore, ...] = ()) -> dict[Digest, Path]:
    return fetch_all(items, stores=stores, cache=cache, sessions=SESSIONS, progress=Silent())


def leftovers(cache: ObjectStore) -> list[str]:
    return [path.name for path in cache.directory.rglob("*") if path.is_file()]


def cut_after(*lengths: int | None) -> Callable[[Request], Reply]:
    """Bodies that break off, one after the other, each going on where the client asks when it asks."""
    cuts = iter(lengths)

    def reply(request: Request) -> Reply:
        first = int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        headers = {"Content-Range": f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"} if first else {}
        return Reply(BODY[first:], 206 if first else 200, headers, cut=next(cuts))

    return reply


def test_downloads_are_kept_and_counted_in_bytes(cache: ObjectStore) -> None:
    bodies = [BODY + bytes([number]) for number in range(12)]
    with serve() as server:
        items = [wanted(server.add(f"/{number}", body), body) for number, body in enumerate(bodies)]
        for total in (sum(map(len, bodies)), None):  # of what is here nothing is told
            progress = Bytes()
            found = fetch_all(items, stores=(), cache=cache, sessions=SESSIONS, progress=progress)
            assert {digest: path.read_bytes() for digest, path in found.items()} == {Digest.of(b): b for b in bodies}
            assert (progress.total, progress.seen) == (total, total or 0)
        assert len(server.log) == len(bodies)


def test_the_project_store_comes_first_then_the_cache(cache: ObjectStore, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    with serve() as server:
        item = wanted(server.add("/x", BODY))
        store.add_bytes(BODY)
        assert fetch(cache, item, stores=(store,)) == {item.sha256: store.path(item.sha256)}
        cache.add_bytes(BODY)
        assert fetch(cache, item) == {item.sha256: cache.path(item.sha256)}
        assert server.log == []


def test_a_damaged_copy_is_fetched_again(cache: ObjectStore) -> None:
    with serve() as server:
        item = wanted(server.add("/x", BODY))
        path = cache.path(item.sha256)
        path.parent.mkdir(parents=True)
        path.write_bytes(BODY[:-1] + b"?")
        fetch(cache, item)
    assert cache.checked_path(item.sha256).read_bytes() == BODY


def test_file_urls_are_copied_and_checked(cache: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "a wheel ü.whl"
    path.write_bytes(BODY)
    item = wanted(path.as_uri())
    assert fetch(cache, item)[item.sha256].read_bytes() == BODY
    with pytest.raises(IntegrityError):
        fetch(cache, Wanted("y", Digest.of(b"y"), 1, path.as_uri()))


def test_a_body_that_breaks_off_goes_on_where_it_stopped(cache: ObjectStore) -> None:
    with serve() as server:
        server.routes["/x"] = cut_after(1 << 18, 1 << 18, None)
        item = wanted(f"{server.url}/x")
        assert fetch(cache, item)[item.sha256].read_bytes() == BODY
        assert "range" not in server.log[0].headers
        assert [request.headers["range"] for request in server.log[1:]] == ["bytes=262144-", "bytes=524288-"]


def test_a_server_that_cannot_go_on_is_asked_from_the_start(cache: ObjectStore) -> None:
    with serve() as server:
        replies = iter([Reply(BODY, cut=300_000), Reply(BODY)])
        server.routes["/x"] = lambda _: next(replies)
        item = wanted(f"{server.url}/x")
        assert fetch(cache, item)[item.sha256].read_bytes() == BODY


def test_a_body_that_always_breaks_off_is_an_infrastructure_error(cache: ObjectStore) -> None:
    with serve() as server:
        server.routes["/x"] = cut_after(1000, 1000, 1000)
        with pytest.raises(InfrastructureError, match="the connection to localhost:"):
            fetch(cache, wanted(f"{server.url}/x"))
        assert len(server.log) == 3
    assert leftovers(cache) == []


@pytest.mark.parametrize("served", [BODY[:-1] + b"?", BODY + b"?", BODY[:-1], b""])
def test_other_bytes_are_named_with_both_digests_and_not_kept(cache: ObjectStore, served: bytes) -> None:
    with serve() as server:
        url = server.add("/x.whl?token=abc", served)
        with pytest.raises(IntegrityError) as refused:
            fetch(cache, wanted(url.replace("//", "//ann:pw@"), name="x.whl"))
    text = str(refused.value)
    assert text.startswith(f"x.whl: {server.url}/x.whl is not the file that was locked: expected {Digest.of(BODY)}")
    found = f"more than {len(BODY)} bytes" if len(served) > len(BODY) else str(Digest.of(served))
    assert text.partition("found ")[2].startswith(found)
    assert leftovers(cache) == []


def test_all_problems_come_at_once_and_wrong_bytes_outrank_absence(cache: ObjectStore) -> None:
    with serve() as server:
        good = wanted(server.add("/good", b"good"), b"good", "good.whl")
        bad = wanted(server.add("/bad", b"evil"), b"fine", "bad.whl")
        gone = wanted(f"{server.url}/gone", b"gone", "gone.whl")
        nowhere = wanted(None, b"nowhere", "nowhere.whl")
        with pytest.raises(IntegrityError, match="3 files could not be fetched") as refused:
            fetch(cache, good, bad, gone, nowhere)
        named = [problem.partition(":")[0] for problem in refused.value.problems]
        assert named == ["bad.whl", "gone.whl", "nowhere.whl"]
        assert "answered 404" in refused.value.problems[1]
    assert cache.has(good.sha256)


def test_a_lost_file_says_where_a_copy_would_be_found(cache: ObjectStore, tmp_path: Path) -> None:
    with serve() as server:
        gone = wanted(f"{server.url}/gone", b"gone", "gone.whl")
        store = ObjectStore(tmp_path / "objects")
        with pytest.raises(InfrastructureError, match="answered 404") as refused:
            fetch(cache, gone, stores=(store,))
    assert str(store.path(gone.sha256)) in str(refused.value.fix)
    copy = tmp_path / "copy"
    copy.write_bytes(b"gone")
    store.path(gone.sha256).parent.mkdir(parents=True)
    copy.rename(store.path(gone.sha256))
    assert fetch(cache, gone, stores=(store,))[gone.sha256].read_bytes() == b"gone"


def test_what_was_only_on_the_laptop_says_what_to_copy(cache: ObjectStore) -> None:
    with pytest.raises(InfrastructureError, match="has no public source") as refused:
        fetch(cache, wanted(None))
    assert ".repro/objects" in str(refused.value.fix)


def test_a_damaged_object_without_any_other_source_is_an_integrity_error(cache: ObjectStore, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    item = wanted(None)
    store.path(item.sha256).parent.mkdir(parents=True)
    store.path(item.sha256).write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="has changed"):
        fetch(cache, item, stores=(store,))


def test_a_closed_door_says_how_to_open_it(cache: ObjectStore) -> None:
    with serve() as server:
        url = server.add("/x", BODY)
        server.require("ann", "pw")
        with pytest.raises(InfrastructureError, match="answered 401") as refused:
            fetch(cache, wanted(url))
    assert "netrc" in str(refused.value.fix)
    assert ".condarc" not in str(refused.value.fix)


def test_a_conda_channels_door_is_opened_by_condas_settings(cache: ObjectStore) -> None:
    with serve() as server:
        url = server.add("/channel/noarch/x-1-0.conda", BODY)
        server.require("ann", "pw")
        with pytest.raises(InfrastructureError, match="answered 401") as refused:
            fetch(cache, wanted(url, name="x-1-0.conda"))
    assert ".condarc" in str(refused.value.fix)


_FULL = """
import sys
from pathlib import Path
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.http import per_thread, session
from repro.progress import Silent
from repro.store import ObjectStore
from repro.store.fetch import Wanted, fetch_all
source, cache = Path(sys.argv[1]), Path(sys.argv[2])
item = Wanted("big.whl", Digest.of_file(source), source.stat().st_size, source.as_uri())
try:
    fetch_all([item], stores=(), cache=ObjectStore(cache), sessions=per_thread(session), progress=Silent())
except InfrastructureError as error:
    print(error, [path.name for path in cache.rglob("*") if path.is_file()])
"""


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    """A real file system of 64 KiB, in a mount namespace of its own."""
    (tmp_path / "big.whl").write_bytes(BODY)
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=64k none {small} && exec {sys.executable} -c "$0" {tmp_path}/big.whl {small}'
    options = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *options, "sh", "-c", mount, _FULL], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{small}: can't write: no space left on the disk []\n", done.stderr


_FETCH = """
import sys
from pathlib import Path
from repro.digest import Digest
from repro.http import per_thread, session
from repro.progress import Silent
from repro.store import ObjectStore
from repro.store.fetch import Wanted, fetch_all
url, cache = sys.argv[1:]
wanted = [Wanted(str(n), Digest(f"{n:064x}"), 1 << 24, f"{url}/{n}") for n in range(4)]
try:
    fetch_all(wanted, stores=(), cache=ObjectStore(Path(cache)), sessions=per_thread(session), progress=Silent())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_wakes_every_download_and_leaves_no_file(cache: ObjectStore) -> None:
    hold = threading.Event()
    with serve() as server:
        for number in range(4):
            server.routes[f"/{number}"] = lambda _: Reply(b"x" * (1 << 24), cut=1 << 20, hold=hold)
        environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        command = [sys.executable, "-c", _FETCH, server.url, str(cache.directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as child:
            try:
                until(lambda: len(leftovers(cache)) == 4 and len(server.log) == 4)
                child.send_signal(signal.SIGINT)
                printed, _ = child.communicate(timeout=120)  # far less than the server would hold them
            finally:
                hold.set()
                child.kill()
    assert printed == b"interrupted\n"
    assert leftovers(cache) == []


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process; the test's own timeout is the limit."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.02)
