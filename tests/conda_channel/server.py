"""Channels over HTTP on loopback: open, behind a token in the path, or behind a password; packages may get lost."""

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path


@dataclass(frozen=True)
class ChannelServer:
    """A running server.

    Attributes:
        address: `http://127.0.0.1:PORT`.
        folder: What is served: each channel is a folder in it.
        token: What paths must begin with, as in `/t/TOKEN/channel`; "" for open channels.
        login: User and password that basic authentication asks for, or None.
        lost: File names that are answered with 404, for tests to add to.
        requests: Method and path of each request so far.
    """

    address: str
    folder: Path
    token: str = ""
    login: tuple[str, str] | None = None
    lost: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    def url(self, channel: str = "main") -> str:
        """A channel's URL, the token included."""
        return f"{self.address}{self._start}/{channel}"

    @property
    def _start(self) -> str:
        return f"/t/{self.token}" if self.token else ""

    def refusal(self, path: str, authorization: str | None) -> HTTPStatus | None:
        """What a request gets in place of the file, if it doesn't get that."""
        if not path.startswith(f"{self._start}/"):
            return HTTPStatus.FORBIDDEN
        if self.login and authorization != "Basic " + base64.b64encode(":".join(self.login).encode()).decode():
            return HTTPStatus.UNAUTHORIZED
        return HTTPStatus.NOT_FOUND if path.rpartition("/")[2] in self.lost else None


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, serving: list[ChannelServer], **options: object) -> None:
        self._serving = serving[0]
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def send_head(self) -> object:  # type: ignore[override]
        self._serving.requests.append(f"{self.command} {self.path}")
        refusal = self._serving.refusal(self.path, self.headers.get("Authorization"))
        if refusal is not None:
            self.send_error(refusal)
            return None
        self.path = self.path.removeprefix(self._serving._start)
        del self.headers["If-Modified-Since"]  # ports come again, and rattler's cache takes no 304 for its shards
        return super().send_head()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path, *, token: str = "", login: tuple[str, str] | None = None) -> Iterator[ChannelServer]:
    """Serve the channels in a folder until the end of the block."""
    current: list[ChannelServer] = []
    handler = partial(_Handler, serving=current, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        current.append(ChannelServer(f"http://127.0.0.1:{server.server_port}", folder, token, login))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield current[0]
        finally:
            server.shutdown()
            thread.join()
