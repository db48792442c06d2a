"""Requests on their way to a registry: scopes, uploads, redirects, too many requests, own CAs."""

import contextlib
import re
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import trustme

from repro import http
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import CONFIG, Descriptor
from repro.registry import ImageName, NotFoundError, Registry, check_status, parse_name
from tests.http.servers import Reply, Request, Server, serve
from tests.oci.forged import forge, layer
from tests.registry import server
from tests.registry.between import between
from tests.registry.server import RunningRegistry

PUSH = ("pull", "push")
IMAGE = forge(layer({"opt/one": b"1" * 5000}))
CONFIGURATION = Descriptor(CONFIG, Digest.of(IMAGE.config), len(IMAGE.config))


def anonymous(tmp_path: Path) -> Registry:
    return Registry(environ={"HOME": str(tmp_path)})


def upload(registry: Registry, name: ImageName, data: bytes) -> requests.Response:
    """A blob in one request after another, as pushing does it."""
    begun = registry.send("POST", name, "blobs/uploads/", actions=PUSH)
    check_status(begun, name)
    blocks = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    return registry.send(
        "PUT",
        name,
        begun.headers["Location"],
        params={"digest": str(Digest.of(data))},
        headers={"Content-Type": "application/octet-stream"},
        data=lambda: blocks,
        size=len(data),
        actions=PUSH,
    )


def test_uploads_go_where_the_registry_says(open_registry: RunningRegistry, tmp_path: Path) -> None:
    name = parse_name(f"{open_registry.host}/team/new:1")
    registry = anonymous(tmp_path)
    assert upload(registry, name, IMAGE.blobs[0]).status_code == 201
    assert upload(registry, name, IMAGE.config).status_code == 201
    assert registry.document(name, CONFIGURATION) == IMAGE.config
    there = registry.send("HEAD", name, f"blobs/{IMAGE.layers[0].digest}")
    assert (there.status_code, there.headers["Content-Length"]) == (200, str(IMAGE.layers[0].size))


def test_a_token_is_asked_for_what_is_done_and_shared(tmp_path: Path) -> None:
    with server.with_tokens(tmp_path) as (running, asked):
        name = parse_name(f"{running.host}/private:1")
        registry = Registry(environ=server.login(tmp_path, running.host))
        assert upload(registry, name, IMAGE.config).status_code == 201
        assert asked == ["repository:private:pull,push"]
        asked.clear()
        threads = [threading.Thread(target=registry.document, args=(name, CONFIGURATION)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asked == ["repository:private:pull"]
        assert registry.document(name, CONFIGURATION) == IMAGE.config


def test_a_token_that_has_expired_is_asked_for_again(tmp_path: Path) -> None:
    with serve() as other:
        tokens: list[str] = []

        def token(_: Request) -> Reply:
            tokens.append(f"token-{len(tokens)}")
            return Reply(f'{{"token": "{tokens[-1]}"}}'.encode())

        def blob(request: Request) -> Reply:
            if tokens and request.headers.get("authorization") == f"Bearer {tokens[-1]}" and len(tokens) == 2:
                return Reply(IMAGE.config)
            challenge = f'Bearer realm="{other.url}/token",service="s",scope="repository:base:pull repository:b:pull"'
            return Reply(b"", 401, {"WWW-Authenticate": challenge})

        scopes = "&scope=repository%3Abase%3Apull&scope=repository%3Ab%3Apull"
        other.routes = {f"/v2/base/blobs/{CONFIGURATION.digest}": blob, f"/token?service=s{scopes}": token}
        name = parse_name(f"{other.url.removeprefix('http://')}/base:1")
        registry = anonymous(tmp_path)
        with pytest.raises(NotFoundError, match="does not give us"):
            registry.document(name, CONFIGURATION)
        assert registry.document(name, CONFIGURATION) == IMAGE.config
        assert len(tokens) == 2


def test_basic_authentication_for_writing(tmp_path: Path) -> None:
    with server.with_password(tmp_path) as running:
        name = parse_name(f"{running.host}/private:1")
        registry = Registry(environ=server.login(tmp_path, running.host))
        assert upload(registry, name, IMAGE.config).status_code == 201
        assert registry.document(name, CONFIGURATION) == IMAGE.config


def redirecting(registry: Server, target: str, status: int = 307) -> None:
    path = f"/v2/base/blobs/{CONFIGURATION.digest}"
    registry.routes[path] = lambda _: Reply(b"moved", status, {"Location": target})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_storage_takes_no_credentials_along(tmp_path: Path, status: int) -> None:
    with serve() as registry, serve() as storage:
        host = registry.url.removeprefix("http://")
        redirecting(registry, storage.add("/data?signature=x", IMAGE.config), status)
        inner = dict(registry.routes)
        for path, route in inner.items():
            registry.routes[path] = lambda request, route=route: (
                route(request)
                if request.headers.get("authorization")
                else Reply(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'})
            )
        found = Registry(environ=server.login(tmp_path, host)).document(parse_name(f"{host}/base:1"), CONFIGURATION)
        assert found == IMAGE.config
        assert [request.headers.get("authorization") for request in storage.log] == [None]
        assert [bool(request.headers.get("authorization")) for request in registry.log] == [False, True]


def test_netrc_stays_at_home_when_a_storage_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve() as registry, serve() as storage:
        redirecting(registry, storage.add("/data", IMAGE.config))
        name = parse_name(f"{registry.url.removeprefix('http://')}/base:1")
        assert anonymous(tmp_path).document(name, CONFIGURATION) == IMAGE.config
        assert [request.headers.get("authorization") for request in storage.log] == [None]


def test_redirects_without_end(tmp_path: Path) -> None:
    with serve() as registry:
        redirecting(registry, f"/v2/base/blobs/{CONFIGURATION.digest}")
        name = parse_name(f"{registry.url.removeprefix('http://')}/base:1")
        with pytest.raises(InfrastructureError, match="in circles"):
            anonymous(tmp_path).document(name, CONFIGURATION)


@contextlib.contextmanager
def taking(*answers: tuple[int, dict[str, str]]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one PUT after another so, and what it was sent."""
    sent: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            status, headers = answers[len(sent)]
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"localhost:{listener.server_port}", sent
        finally:
            listener.shutdown()
            thread.join()


def test_writes_are_not_redirected(tmp_path: Path) -> None:
    """The body would go somewhere that nobody named; the answer is the caller's to judge."""
    with taking((307, {"Location": "/elsewhere"})) as (host, sent):
        answer = anonymous(tmp_path).send("PUT", parse_name(f"{host}/base:1"), "thing", data=b"x", actions=PUSH)
    assert (answer.status_code, sent) == (307, [b"x"])


def test_a_body_is_made_anew_when_credentials_are_wanted_after_it(tmp_path: Path) -> None:
    with taking((401, {"WWW-Authenticate": "Basic realm=x"}), (201, {})) as (host, sent):
        registry = Registry(environ=server.login(tmp_path, host))
        name = parse_name(f"{host}/base:1")
        answer = registry.send("PUT", name, "x", data=lambda: iter([b"ab", b"cd"]), size=4, actions=PUSH)
    assert (answer.status_code, sent) == (201, [b"abcd", b"abcd"])


def test_a_registry_with_a_ca_of_its_own_must_not_lead_out_of_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("0.0.0.0").configure_cert(context)  # this machine, but not by a name that needs no TLS
    monkeypatch.setenv("no_proxy", "*")
    with serve(context) as registry, serve() as storage:
        host = registry.url.removeprefix("https://").replace("localhost", "0.0.0.0")
        name = parse_name(f"{host}/base:1")
        registry.add(f"/v2/base/blobs/{CONFIGURATION.digest}", IMAGE.config)
        with pytest.raises(InfrastructureError, match="certificate"):
            anonymous(tmp_path).document(name, CONFIGURATION)
        trusting = Registry(lambda: http.session(ca_cert=tmp_path / "ca.pem"), {"HOME": str(tmp_path)})
        assert trusting.document(name, CONFIGURATION) == IMAGE.config
        redirecting(registry, storage.add("/data", IMAGE.config))
        with pytest.raises(InfrastructureError, match="without TLS"):
            trusting.document(name, CONFIGURATION)
        with pytest.raises(InfrastructureError, match="without TLS"):
            trusting.send("PUT", name, f"{storage.url}/upload", data=b"x", actions=PUSH)
        assert not storage.log


def limited(registry: Server, *answers: Reply) -> None:
    left = list(answers)
    path = f"/v2/base/blobs/{CONFIGURATION.digest}"
    registry.routes[path] = lambda _: left.pop(0) if left else Reply(IMAGE.config)


def too_many(retry_after: str | None) -> Reply:
    return Reply(b"", 429, {} if retry_after is None else {"Retry-After": retry_after})


def waited(registry: Server, tmp_path: Path) -> tuple[list[float], int]:
    pauses: list[float] = []
    name = parse_name(f"{registry.url.removeprefix('http://')}/base:1")
    path = f"blobs/{CONFIGURATION.digest}"
    response = anonymous(tmp_path).send("GET", name, path, pause=pauses.append)
    return pauses, response.status_code


def test_a_registry_that_asks_to_wait_is_waited_for(tmp_path: Path) -> None:
    with serve() as registry:
        limited(registry, too_many("3"), too_many(None), too_many("0"))
        assert waited(registry, tmp_path) == ([3.0, 1.0, 0.0], 200)
        began = time.time()
        limited(registry, too_many(formatdate(began + 10, usegmt=True)))
        (pause,), status = waited(registry, tmp_path)
        assert max(began + 9 - time.time(), 0) <= pause <= 10  # a date has whole seconds
        assert status == 200


@pytest.mark.parametrize("retry_after", ["3600", "next week"])
def test_a_long_wait_is_refused_at_once(tmp_path: Path, retry_after: str) -> None:
    with serve() as registry:
        limited(registry, too_many(retry_after))
        assert waited(registry, tmp_path) == ([], 429)
        limited(registry, too_many(retry_after))
        name = parse_name(f"{registry.url.removeprefix('http://')}/base:1")
        with pytest.raises(InfrastructureError, match="too many requests") as caught:
            anonymous(tmp_path).document(name, CONFIGURATION)
        assert "docker login" in str(caught.value.fix)


def test_asking_for_ever_is_given_up(tmp_path: Path) -> None:
    with serve() as registry:
        limited(registry, *[too_many("1")] * 50)
        assert waited(registry, tmp_path) == ([1.0, 1.0, 1.0], 429)


def mirrored(tmp_path: Path, *entries: str) -> Registry:
    return Registry(environ={"HOME": str(tmp_path), "REPRO_REGISTRY_MIRRORS": ",".join(entries)})


def test_a_mirror_is_asked_first(open_registry: RunningRegistry, tmp_path: Path) -> None:
    digest = server.push_image(open_registry.host, "copies/base:1", IMAGE)
    registry = mirrored(tmp_path, f"registry.invalid={open_registry.host}/copies")
    name = parse_name("registry.invalid/base:1")
    found = registry.resolve(name, "linux/amd64")
    assert (str(found.name), found.digest) == (f"registry.invalid/base:1@{digest}", digest)
    assert registry.document(name, CONFIGURATION) == IMAGE.config
    assert registry.manifest(name, digest) == IMAGE.manifest


def test_what_mirrors_lack_or_spoil_comes_from_the_registry(open_registry: RunningRegistry, tmp_path: Path) -> None:
    server.push_image(open_registry.host, "base:1", IMAGE)
    with between(open_registry.host) as lying, serve() as empty:
        lying.change = lambda _, reply: Reply(reply.body + b" ", reply.status)
        mirrors = ["localhost:9", empty.url, lying.host]
        registry = mirrored(tmp_path, *(f"{open_registry.host}={mirror}" for mirror in mirrors))
        name = parse_name(f"{open_registry.host}/base:1")
        assert registry.document(name, CONFIGURATION) == IMAGE.config
        assert empty.log
        assert lying.server.log


def test_when_nothing_works_the_registrys_own_error_counts(open_registry: RunningRegistry, tmp_path: Path) -> None:
    server.push_image(open_registry.host, "base:1", IMAGE)
    registry = mirrored(tmp_path, f"{open_registry.host}=localhost:9")
    path = open_registry.blob(CONFIGURATION.digest)
    path.write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="something else than it names") as caught:
        registry.document(parse_name(f"{open_registry.host}/base:1"), CONFIGURATION)
    assert re.search(r"mirror localhost:9: .*connection", caught.value.details)


def test_what_is_no_json_is_the_networks_fault(tmp_path: Path) -> None:
    with serve() as portal:
        portal.add("/v2/base/manifests/1", b"<html>Please log in to the hotel's network</html>")
        with pytest.raises(InfrastructureError, match="is no manifest"):
            anonymous(tmp_path).resolve(parse_name(f"{portal.url.removeprefix('http://')}/base:1"), "linux/amd64")


def test_an_endless_document_is_not_read(tmp_path: Path) -> None:
    with serve() as registry:
        registry.add("/v2/base/manifests/1", b" " * (9 << 20))
        with pytest.raises(IntegrityError, match="larger than any"):
            anonymous(tmp_path).resolve(parse_name(f"{registry.url.removeprefix('http://')}/base:1"), "linux/amd64")
