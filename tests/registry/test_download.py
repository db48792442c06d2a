"""Layers from a real registry, through breaks, kills and lies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import Descriptor
from repro.oci.sources import SourceImage, prefetch
from repro.oci.streams import open_plain
from repro.progress import Progress, Silent
from repro.registry import NotFoundError, Registry, parse_name, registry_image
from repro.registry.download import download
from repro.store import ObjectStore
from tests.http.servers import Reply, Request
from tests.oci.forged import Forged, forge, layer
from tests.registry import server
from tests.registry.between import Between, between, breaking
from tests.registry.server import RunningRegistry

AMD64 = "linux/amd64"
NOISE = b"".join(Digest.of(str(number).encode()).hex.encode() for number in range(40_000))
LAYERS = [layer({f"opt/{number}": NOISE[number:]}) for number in range(5)]
IMAGE = forge(*LAYERS, packed=False)
SIZE = IMAGE.layers[0].size


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache")


@pytest.fixture
def proxy(open_registry: RunningRegistry) -> Iterator[Between]:
    server.push_image(open_registry.host, "base:1", IMAGE)
    with between(open_registry.host) as found:
        yield found


def client(tmp_path: Path) -> Registry:
    return Registry(environ={"HOME": str(tmp_path)})


def image_at(
    host: str, store: ObjectStore, digest: Digest = IMAGE.digest, progress: Progress | None = None
) -> SourceImage:
    name = parse_name(f"{host}/base:1")
    told = progress or Silent()
    return registry_image(client(store.directory), name, digest, AMD64, store=store, progress=told)


def get(host: str, store: ObjectStore, blob: Descriptor = IMAGE.layers[0]) -> None:
    download(client(store.directory), parse_name(f"{host}/base:1"), [blob], store=store, progress=Silent())


def same(found: SourceImage, image: Forged) -> bool:
    layers = []
    for number in range(len(found.layers)):
        with open_plain(found, number) as stream:
            layers.append(Digest.of(stream.read()))
    return (found.manifest, found.config, tuple(layers)) == (image.manifest, image.config, image.diff_ids)


def partial(store: ObjectStore, digest: Digest = IMAGE.layers[0].digest) -> Path:
    return store.directory / "partial" / digest.hex


def leftovers(store: ObjectStore) -> list[str]:
    return [path.name for name in ("partial", "incoming") for path in (store.directory / name).glob("*")]


@dataclass
class Told(Silent):
    total: float = 0
    done: float = 0
    lines: list[str] = field(default_factory=list)

    def start(self, title: str, total: float | None = None, unit: str = "items") -> "Told":
        assert (title.split(maxsplit=1)[0], unit) == ("downloading", "bytes")
        self.total += total or 0
        return self

    def advance(self, amount: float = 1, detail: str = "") -> None:
        assert len(detail) == 12
        self.done += amount

    def finish(self, summary: str = "") -> None:
        self.lines.append(summary)


def test_layers_come_when_they_are_asked_for_and_once(proxy: Between, store: ObjectStore) -> None:
    told = Told()
    found = image_at(proxy.host, store, progress=told)
    assert not [request for one in IMAGE.layers for request in proxy.blobs(one.digest)]
    with found.open_layer(3) as stream:
        assert stream.read() == IMAGE.blobs[3]
    prefetch(found)
    assert same(found, IMAGE)
    assert [len(proxy.blobs(one.digest)) for one in IMAGE.layers] == [1] * 5
    assert told.done == told.total == sum(one.size for one in IMAGE.layers)
    assert not leftovers(store)


def test_what_is_kept_needs_no_registry(open_registry: RunningRegistry, store: ObjectStore) -> None:
    arm = forge(LAYERS[0], platform="linux/arm64")
    top = server.push_image(open_registry.host, "base:1", IMAGE, arm)
    prefetch(image_at(open_registry.host, store, top))
    open_registry.process.terminate()
    open_registry.process.wait()
    assert same(image_at(open_registry.host, store, top), IMAGE)
    name = parse_name(f"{open_registry.host}/base:1")
    with pytest.raises(NotFoundError, match="not for linux/s390x, only for linux/amd64, linux/arm64"):
        registry_image(client(store.directory), name, top, "linux/s390x", store=store, progress=Silent())


def test_a_break_is_gone_on_with_where_it_happened(proxy: Between, store: ObjectStore) -> None:
    proxy.change = breaking(after=SIZE // 3, times=2)
    told = Told()
    name = parse_name(f"{proxy.host}/base:1")
    download(client(store.directory), name, IMAGE.layers[:1], store=store, progress=told)
    first, *others = [request.headers.get("range") for request in proxy.blobs(IMAGE.layers[0].digest)]
    assert first is None
    assert len(others) == 2
    assert all(one is not None and one != "bytes=0-" for one in others)
    assert Digest.of_file(store.path(IMAGE.layers[0].digest)) == IMAGE.layers[0].digest
    assert told.done == SIZE


def test_breaks_in_all_layers_at_the_same_time(proxy: Between, store: ObjectStore) -> None:
    proxy.change = breaking(after=SIZE // 2, times=7)
    found = image_at(proxy.host, store)
    prefetch(found)
    assert same(found, IMAGE)
    assert not leftovers(store)


def test_a_registry_that_never_sends_anything_is_given_up(proxy: Between, store: ObjectStore) -> None:
    proxy.change = breaking(after=0, times=1000)
    with pytest.raises(InfrastructureError, match="the connection to localhost"):
        get(proxy.host, store)
    assert len(proxy.blobs(IMAGE.layers[0].digest)) >= 4
    assert not partial(store).exists()


def test_a_registry_without_ranges_is_read_from_the_start_again(proxy: Between, store: ObjectStore) -> None:
    cut = breaking(after=SIZE // 2, times=1)

    def change(request: Request, reply: Reply) -> Reply:
        if reply.status == 206:
            reply = Reply(IMAGE.blobs[0])
        return cut(request, reply)

    proxy.change = change
    get(proxy.host, store)
    assert Digest.of_file(store.path(IMAGE.layers[0].digest)) == IMAGE.layers[0].digest


SCRIPT = """
import sys
from pathlib import Path
from repro.digest import Digest
from repro.oci.image import LAYER, Descriptor
from repro.progress import Silent
from repro.registry import Registry, parse_name
from repro.registry.download import download
from repro.store import ObjectStore
host, digest, size, cache = sys.argv[1:]
blob = Descriptor(LAYER, Digest.parse(digest), int(size))
registry = Registry(environ={"HOME": cache})
download(registry, parse_name(f"{host}/base:1"), [blob], store=ObjectStore(Path(cache)), progress=Silent())
"""


def interrupted(proxy: Between, store: ObjectStore, with_signal: signal.Signals) -> int:
    """Start a download in a process of its own that hangs in the middle, end it so, and return how much has come."""
    released = threading.Event()
    proxy.change = lambda request, reply: (
        Reply(reply.body, reply.status, reply.headers, SIZE // 2, released) if "/blobs/" in request.path else reply
    )
    blob = IMAGE.layers[0]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, proxy.host, str(blob.digest), str(blob.size), str(store.directory)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (partial(store).exists() and partial(store).stat().st_size > SIZE // 4):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, with_signal)
        process.communicate(timeout=120)  # far less than the server would hold it
    finally:
        released.set()
        process.kill()
    proxy.change = lambda _, reply: reply
    proxy.server.log.clear()
    return partial(store).stat().st_size


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_was_ended_is_gone_on_with_by_the_next_run(
    proxy: Between, store: ObjectStore, with_signal: signal.Signals
) -> None:
    there = interrupted(proxy, store, with_signal)
    get(proxy.host, store)
    assert [request.headers.get("range") for request in proxy.blobs(IMAGE.layers[0].digest)] == [f"bytes={there}-"]
    assert Digest.of_file(store.path(IMAGE.layers[0].digest)) == IMAGE.layers[0].digest
    assert not leftovers(store)


@pytest.mark.parametrize("left", [b"\0" * 1000, IMAGE.blobs[0] + b"more", b"\0" * SIZE])
def test_what_an_earlier_run_left_is_not_trusted(proxy: Between, store: ObjectStore, left: bytes) -> None:
    partial(store).parent.mkdir(parents=True)
    partial(store).write_bytes(left)
    get(proxy.host, store)
    assert Digest.of_file(store.path(IMAGE.layers[0].digest)) == IMAGE.layers[0].digest
    assert not leftovers(store)


def test_other_content_is_refused_and_not_kept(
    open_registry: RunningRegistry, proxy: Between, store: ObjectStore
) -> None:
    for wrong in (b"x" * SIZE, b"x" * (SIZE + 10), IMAGE.blobs[0][:-1]):
        proxy.change = lambda request, reply, body=wrong: Reply(body) if "/blobs/" in request.path else reply
        with pytest.raises(IntegrityError, match="something else than it names") as caught:
            get(proxy.host, store)
        assert str(IMAGE.layers[0].digest) in caught.value.what
        assert not store.has(IMAGE.layers[0].digest)
        assert not partial(store).exists()


def test_a_missing_blob_ends_the_other_downloads_too(open_registry: RunningRegistry, store: ObjectStore) -> None:
    server.push_image(open_registry.host, "base:1", IMAGE)
    open_registry.blob(IMAGE.layers[2].digest).unlink()
    with pytest.raises(InfrastructureError):
        prefetch(image_at(open_registry.host, store))


def test_several_that_want_the_same_download_it_once(proxy: Between, store: ObjectStore) -> None:
    problems: list[BaseException] = []

    def run() -> None:
        try:
            prefetch(image_at(proxy.host, ObjectStore(store.directory)))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            problems.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert [len(proxy.blobs(one.digest)) for one in IMAGE.layers] == [1] * 5
    assert not leftovers(store)


def test_foreign_layers_are_refused(proxy: Between, store: ObjectStore) -> None:
    foreign = IMAGE.manifest.replace(b'"layers":[{', b'"layers":[{"urls":["https://example.org/layer"],')
    proxy.change = lambda request, reply: Reply(foreign) if "/manifests/" in request.path else reply
    with pytest.raises(IntegrityError) as caught:
        image_at(proxy.host, store, Digest.of(foreign))
    assert any("layers[0].urls: a layer that its registry doesn't keep" in text for text in caught.value.problems)
