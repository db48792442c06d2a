"""Images into a real registry: what is asked, what is sent, what is taken over, and how breaks are survived."""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.progress import Silent
from repro.registry import ImageName, Registry, parse_name, upload
from repro.transfer.push import push
from tests.oci.forged import Forged, forge, layer
from tests.registry.server import RunningRegistry, login, running, with_password, with_tokens

ONE = layer({"opt/": b"", "opt/one": b"1" * 5000})
TWO = layer({"opt/": b"", "opt/two": b"2" * 700})
CODE = layer({"opt/": b"", "opt/code": b"print()"})
BIG = layer({"opt/": b"", "opt/big": bytes(range(256)) * (5 << 12)})


class Watched(Registry):
    """The real client; `log` has the method and the status of every request, and `change` may tamper with requests."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ=environ)
        self.log: list[tuple[str, str, int]] = []
        self.change: Callable[[str, Any], Any] = lambda _, data: data
        self._really = self.send
        self._lock = threading.Lock()
        self.send = self._send  # type: ignore[method-assign,assignment]

    def _send(self, method: str, name: ImageName, path: str, *, data: Any = None, **settings: Any) -> requests.Response:
        answer = self._really(method, name, path, data=self.change(method, data), **settings)
        with self._lock:
            self.log.append((method, path.partition("?")[0], answer.status_code))
        return answer

    def methods(self) -> list[str]:
        found = [method for method, _, _ in self.log]
        self.log.clear()
        return found


@pytest.fixture
def registry(tmp_path: Path) -> Watched:
    return Watched({"HOME": str(tmp_path)})


@pytest.fixture
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def name(open_registry: RunningRegistry) -> ImageName:
    return parse_name(f"{open_registry.host}/team/churn:1")


def put(registry: Registry, name: ImageName, *images: Forged, mount_from: Iterable[ImageName] = ()) -> Digest:
    return push(images, name, registry=registry, mount_from=list(mount_from), progress=Silent())


def stored(name: ImageName, reference: str) -> tuple[str, bytes]:
    """Media type and bytes of a manifest."""
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    answer = requests.get(f"{name.url}/manifests/{reference}", headers={"Accept": accept}, timeout=60)
    answer.raise_for_status()
    return answer.headers["Content-Type"], answer.content


def test_an_image_is_pushed_byte_for_byte(open_registry: RunningRegistry, registry: Watched, name: ImageName) -> None:
    image = forge(ONE, TWO)
    assert push(image, name, registry=registry, progress=Silent()) == image.digest
    assert stored(name, "1") == stored(name, str(image.digest))
    assert stored(name, "1") == ("application/vnd.oci.image.manifest.v1+json", image.manifest)
    for one, data in zip(image.layers, image.blobs, strict=True):
        assert open_registry.blob(one.digest).read_bytes() == data
    assert registry.resolve(name, "linux/amd64").labels == {"dev.repro.test": "forged"}


def test_what_is_there_is_only_asked_for(registry: Watched, name: ImageName) -> None:
    put(registry, name, forge(ONE, TWO))
    registry.log.clear()
    image = forge(ONE, TWO)
    put(registry, name, image)
    assert registry.methods() == ["HEAD"] * (2 + 1 + 1)
    assert image.opened == []


def test_another_name_writes_the_manifest_only(registry: Watched, name: ImageName) -> None:
    image = forge(ONE, TWO)
    put(registry, name, image)
    registry.log.clear()
    image.opened.clear()
    put(registry, parse_name(name.name.replace(":1", ":2")), image)
    assert [method for method in registry.methods() if method != "HEAD"] == ["PUT"]
    assert image.opened == []


def test_a_changed_layer_is_the_only_one_that_is_sent(registry: Watched, name: ImageName) -> None:
    put(registry, name, forge(ONE, TWO))
    image = forge(ONE, CODE)
    assert put(registry, name, image) == image.digest
    assert image.opened == [1]
    assert stored(name, "1")[1] == image.manifest


def test_layers_of_the_base_are_taken_over_within_the_registry(
    open_registry: RunningRegistry, registry: Watched, name: ImageName
) -> None:
    base = parse_name(f"{name.registry}/bases/python:3.11")
    put(registry, base, forge(ONE, TWO))
    elsewhere = parse_name("registry.example.org/bases/python:3.11")
    none = parse_name(f"{name.registry}/bases/none:1")
    image = forge(ONE, TWO, CODE)
    put(registry, name, image, mount_from=[elsewhere, none, base, name])
    assert image.opened == [2]
    assert stored(name, "1")[1] == image.manifest
    assert uploads(open_registry) == []


def test_several_platforms_under_one_name(registry: Watched, name: ImageName) -> None:
    images = [forge(ONE), forge(ONE, platform="linux/arm64")]
    digest = put(registry, name, *images)
    kind, data = stored(name, "1")
    assert (kind, Digest.of(data)) == ("application/vnd.oci.image.index.v1+json", digest)
    assert [entry["digest"] for entry in json.loads(data)["manifests"]] == [str(one.digest) for one in images]
    assert registry.resolve(name, "linux/arm64").digest == digest
    registry.log.clear()
    put(registry, name, *images)
    assert set(registry.methods()) == {"HEAD"}
    with pytest.raises(UsageError, match="same platform"):
        put(registry, name, images[0], images[0])


def test_a_digest_is_name_enough(registry: Watched, name: ImageName) -> None:
    image = forge(ONE)
    put(registry, ImageName(name.registry, name.repository, None), image)
    assert stored(name, str(image.digest))[1] == image.manifest
    with pytest.raises(requests.HTTPError, match="404"):
        stored(name, "latest")


def test_a_tampered_layer_is_not_pushed(open_registry: RunningRegistry, registry: Watched, name: ImageName) -> None:
    image = forge(ONE, TWO).with_blob(1, b"tampered")
    with pytest.raises(IntegrityError, match=image.layers[1].digest.hex):
        put(registry, name, image)
    with pytest.raises(requests.HTTPError, match="404"):
        stored(name, "1")
    assert not open_registry.blob(image.layers[1].digest).exists()


def test_a_registry_that_stores_something_else_is_found_out(
    registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, other = forge(ONE), forge(TWO)
    put(registry, name, other)
    registry.change = lambda _, data: other.manifest if data == image.manifest else data
    with pytest.raises(IntegrityError, match="stored something else"):
        put(registry, name, image)


def uploads(registry: RunningRegistry) -> list[Path]:
    """Uploads that were begun and neither ended nor cancelled."""
    return list(registry.storage.rglob("_uploads/*/startedat"))


def breaking(after: int, times: int) -> tuple[Callable[[str, Any], Any], list[tuple[str, int]]]:
    """A connection that breaks in the middle of the first bodies that are long enough; and what was sent in each."""
    sent: list[tuple[str, int]] = []
    left = [times]
    lock = threading.Lock()

    def change(method: str, data: Any) -> Any:
        if not callable(data):
            return data

        def blocks() -> Iterator[bytes]:
            with lock:
                sent.append((method, 0))
                number = len(sent) - 1
            for block in (part[at : at + 65536] for part in data() for at in range(0, len(part), 65536)):
                if left[0] and sent[number][1] >= after:
                    left[0] -= 1
                    raise requests.ConnectionError("broken")
                yield block
                sent[number] = (method, sent[number][1] + len(block))

        return blocks

    return change, sent


class Resuming(BaseHTTPRequestHandler):
    """A registry as the specification has it, that breaks off the first long uploads and says what it got."""

    protocol_version = "HTTP/1.1"
    blobs: ClassVar[dict[str, bytes]] = {}
    got: ClassVar[bytearray] = bytearray()
    breaks: ClassVar[list[int]] = []
    log: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(200 if self.path.rpartition("/")[2] in self.blobs else 404)

    def do_POST(self) -> None:
        self.got.clear()
        self._answer(202)

    def do_GET(self) -> None:
        self._answer(204, {"Range": f"0-{len(self.got) - 1}"})

    def do_PATCH(self) -> None:
        span = f"{len(self.got)}-{len(self.got) + int(self.headers['Content-Length']) - 1}"
        right = self.headers["Content-Range"] == span
        if self._read():
            self._answer(202 if right else 416)

    def do_PUT(self) -> None:
        if not self._read():
            return
        digest = str(Digest.of(bytes(self.got)))
        if "manifests" not in self.path and parse_qs(urlsplit(self.path).query) != {"digest": [digest]}:
            self._answer(400)
            return
        self.blobs[digest] = bytes(self.got)
        self._answer(201, {"Docker-Content-Digest": digest})

    def do_DELETE(self) -> None:
        self._answer(204)

    def _read(self) -> bool:
        """Take the body; False when this is a time to break off."""
        if "manifests" in self.path:
            self.got.clear()
        size = int(self.headers["Content-Length"])
        breaking = bool(self.breaks) and size > self.breaks[0]
        self.got.extend(self.rfile.read(self.breaks.pop(0) if breaking else size))
        if breaking:
            self.log.append(f"{self.command} broken off")
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return not breaking

    def _answer(self, status: int, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.log.append(f"{self.command} {status}")
        self.send_response(status)
        for name, value in {"Location": "/v2/a/b/blobs/uploads/1", "Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def resuming() -> Iterator[str]:
    for kept in (Resuming.blobs, Resuming.got, Resuming.breaks, Resuming.log):
        kept.clear()  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), Resuming) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_large_upload_that_breaks_off_goes_on(
    resuming: str, registry: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "RESUMED", 1 << 20)
    monkeypatch.setattr(upload, "_PAUSE", 0.01)
    monkeypatch.setattr("repro.transfer.push._WORKERS", 1)
    Resuming.breaks += [2 << 20, 1 << 20]
    image = forge(BIG, packed=False)
    put(registry, parse_name(f"{resuming}/a/b:1"), image)
    assert Resuming.blobs[str(image.layers[0].digest)] == BIG
    assert [line for line in Resuming.log if line[:3] in {"PUT", "PAT", "GET"}] == [
        "PUT 201",
        "PUT broken off",
        "GET 204",
        "PATCH broken off",
        "GET 204",
        "PATCH 202",
        "PUT 201",
        "PUT 201",
    ]


def test_a_large_upload_begins_again_where_the_registry_has_forgotten_it(
    open_registry: RunningRegistry, registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "RESUMED", 1 << 20)
    monkeypatch.setattr(upload, "_PAUSE", 0.01)
    registry.change, _ = breaking(after=2 << 20, times=2)
    image = forge(BIG, packed=False)
    put(registry, name, image)
    assert open_registry.blob(image.layers[0].digest).read_bytes() == BIG


def test_a_small_upload_that_breaks_off_begins_again(
    open_registry: RunningRegistry, registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_PAUSE", 0.01)
    registry.change, sent = breaking(after=2 << 20, times=2)
    image = forge(BIG, packed=False)
    put(registry, name, image)
    assert open_registry.blob(image.layers[0].digest).read_bytes() == BIG
    assert [method for method, size in sent if size > 1 << 20] == ["PUT"] * 3


def test_a_connection_that_always_breaks_is_given_up(
    registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_PAUSE", 0.01)
    registry.change, sent = breaking(after=0, times=1000)
    with pytest.raises(InfrastructureError, match="connection"):
        put(registry, name, forge(BIG, packed=False))
    assert 4 <= len(sent) <= 8


def test_progress_counts_every_byte_once(registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_PAUSE", 0.01)
    registry.change, _ = breaking(after=2 << 20, times=2)
    counted: list[float] = []

    class Counting(Silent):
        def start(self, *args: Any) -> Any:
            counted.append(-args[1])
            return self

        def advance(self, *args: Any) -> None:
            counted.append(args[0])

        def finish(self, summary: str = "") -> None:
            pass

    push([forge(ONE, BIG)], name, registry=registry, progress=Counting())
    assert sum(counted) == 0


def test_ctrl_c_ends_the_uploads(
    open_registry: RunningRegistry, registry: Watched, name: ImageName, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repro.transfer import push as module  # noqa: PLC0415 - the module, not the function

    image, begun, stopped, wait = forge(BIG, packed=False), threading.Event(), threading.Event(), module.wait

    class Pool(ThreadPoolExecutor):
        """Is shut down before its work is done once the uploads have been told to end."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            if cancel_futures:
                stopped.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    def change(_: str, data: Any) -> Any:
        def slowly() -> Iterator[bytes]:
            for number, block in enumerate(data()):
                yield block
                begun.set()
                if number == 0:
                    assert stopped.wait(60)

        return slowly if callable(data) else data

    def interrupt(*args: Any) -> Any:
        if begun.is_set():
            raise KeyboardInterrupt
        return wait(args[0], 0.05)

    registry.change = change
    monkeypatch.setattr(module, "wait", interrupt)
    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        put(registry, name, image)
    assert not open_registry.blob(image.layers[0].digest).exists()


def test_with_a_password(tmp_path: Path) -> None:
    image = forge(ONE)
    with with_password(tmp_path) as found:
        name = parse_name(f"{found.host}/team/churn:1")
        put(Registry(environ=login(tmp_path, found.host)), name, image)
        assert Registry(environ=login(tmp_path, found.host)).resolve(name, "linux/amd64").digest == image.digest
        with pytest.raises(InfrastructureError, match="without credentials"):
            put(Registry(environ={"HOME": str(tmp_path / "nobody")}), name, forge(TWO))


def test_tokens_are_asked_for_with_what_mounting_needs(tmp_path: Path) -> None:
    with with_tokens(tmp_path) as (found, asked):
        environ = login(tmp_path, found.host)
        base, name = parse_name(f"{found.host}/bases/python:3.11"), parse_name(f"{found.host}/team/churn:1")
        put(Registry(environ=environ), base, forge(ONE))
        image = forge(ONE, CODE)
        put(Registry(environ=environ), name, image, mount_from=[base])
        assert image.opened == [1]
        assert any("bases/python:pull" in scope for scope in asked)


def test_a_registry_that_cannot_be_reached_is_named(registry: Watched) -> None:
    with pytest.raises(InfrastructureError, match="localhost:1"):
        put(registry, parse_name("localhost:1/team/churn:1"), forge(ONE))


def test_a_registry_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    with (
        running(tmp_path, {"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"}) as found,
        pytest.raises(InfrastructureError, match="405"),
    ):
        put(Registry(environ={"HOME": str(tmp_path)}), parse_name(f"{found.host}/team/churn:1"), forge(ONE))
