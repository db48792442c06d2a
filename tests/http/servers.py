"""Real HTTP servers on the loopback interface: plain, with basic authentication, with TLS, and with faults."""

import base64
import contextlib
import functools
import html
import json
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from repro.digest import Digest

RELEASES = ("six==1.17.0", "iniconfig==2.0.0", "markupsafe==3.0.2")
MACHINES = {"linux/amd64": "manylinux_2_17_x86_64", "linux/arm64": "manylinux_2_17_aarch64"}


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # send only this many bytes of the body, then hang up
    hold: threading.Event | None = None  # after `cut` bytes, wait for this, or far longer than any test, to hang up


Route = Callable[["Request"], Reply]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Server:
    """Answers by `routes` (an exact path, query included, else 404) and keeps what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.routes: dict[str, Route] = {}
        self.log: list[Request] = []
        self.login: str | None = None
        self.connections = 0
        self._counting = threading.Lock()

    def add(self, path: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        self.routes[path] = lambda request: _ranged(request, body, content_type)
        return self.url + path

    def reply(self, request: Request) -> Reply:
        self.log.append(request)
        if self.login is not None and request.headers.get("authorization") != self.login:
            return Reply(b"who are you?", 401, {"WWW-Authenticate": 'Basic realm="index"'})
        route = self.routes.get(request.path)
        return route(request) if route else Reply(b"not here", 404)

    def require(self, user: str, password: str) -> None:
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def connected(self) -> None:
        with self._counting:
            self.connections += 1

    def paths(self, method: str = "GET") -> list[str]:
        return [request.path for request in self.log if request.method == method]


@contextlib.contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            server.connected()
            super().setup()

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            reply = server.reply(Request(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body[: reply.cut])
                self.wfile.flush()
            if reply.hold is not None:
                reply.hold.wait(600)
            if reply.cut is not None:
                self.close_connection = True

        do_HEAD = do_POST = do_GET  # noqa: N815 - as in BaseHTTPRequestHandler

        def log_message(self, *args: object) -> None:
            pass

    with _Quiet(("127.0.0.1", 0), Handler) as listener:
        if tls is not None:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        server = Server(f"{scheme}://localhost:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


class _Quiet(ThreadingHTTPServer):
    block_on_close = False
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """Clients that hang up or distrust us are part of the tests."""


def _ranged(request: Request, body: bytes, content_type: str) -> Reply:
    headers = {"Content-Type": content_type}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Reply(body, 200, headers)
    first = int(asked[1]) if asked[1] else max(0, len(body) - int(asked[2]))
    last = min(int(asked[2]), len(body) - 1) if asked[1] and asked[2] else len(body) - 1
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Reply(body[first : last + 1], 206, headers)


@functools.cache
def download_wheels(folder: Path) -> dict[str, bytes]:
    """Real wheels of `RELEASES` for both targets, by file name, from the package index."""
    for platform in MACHINES.values():
        options = ["--no-deps", "--quiet", "--only-binary", ":all:", "--python-version", "3.11", "--platform", platform]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *RELEASES]
        subprocess.run(command, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.whl"))}


@dataclass(frozen=True)
class Listing:
    """What an index says of one file."""

    name: str
    href: str
    sha256: str | None = None
    size: int | None = None
    yanked: str | None = None
    metadata: str | None = None  # sha256 of the METADATA beside it, "" when only its presence is told
    requires_python: str = ">=3.8"


def html_page(listings: list[Listing], head: str = "") -> bytes:
    links = []
    for one in listings:
        fragment = f"#sha256={one.sha256}" if one.sha256 else ""
        yanked = f' data-yanked="{html.escape(one.yanked)}"' if one.yanked is not None else ""
        href = html.escape(one.href) + fragment
        told = f"sha256={one.metadata}" if one.metadata else "true"
        beside = "" if one.metadata is None else f' data-core-metadata="{told}"'
        python = html.escape(one.requires_python)
        links.append(f'<a href="{href}"{yanked}{beside} data-requires-python="{python}">{one.name}</a><br/>')
    return f"<!DOCTYPE html><html><head>{head}</head><body>{''.join(links)}</body></html>".encode()


def json_page(name: str, listings: list[Listing]) -> bytes:
    files = [
        {
            "filename": one.name,
            "url": one.href,
            "hashes": {"sha256": one.sha256} if one.sha256 else {},
            "yanked": False if one.yanked is None else one.yanked or True,
            "requires-python": one.requires_python,
            **({} if one.size is None else {"size": one.size}),
            **({} if one.metadata is None else {"core-metadata": {"sha256": one.metadata} if one.metadata else True}),
        }
        for one in listings
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()


JSON = "application/vnd.pypi.simple.v1+json"


def publish(server: Server, wheels: dict[str, bytes], *, style: str = "html", hashes: bool = True) -> str:
    """Serve wheels as an index, by HTML with relative links or by JSON; returns its URL."""
    projects: dict[str, list[Listing]] = {}
    for name, body in wheels.items():
        server.add(f"/files/{name}", body)
        project = name.partition("-")[0].lower().replace("_", "-")
        sha256 = Digest.of(body).hex if hashes else None
        size = len(body) if style == "json" and hashes else None
        projects.setdefault(project, []).append(Listing(name, f"../../files/{name}", sha256, size))
    for project, listings in projects.items():
        if style == "html":
            server.add(f"/simple/{project}/", html_page(listings), "text/html")
        else:
            server.add(f"/simple/{project}/", json_page(project, listings), JSON)
    return f"{server.url}/simple"
