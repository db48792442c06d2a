"""A server between the client and a real registry (or before no registry at all) that can misbehave."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import requests

from repro.digest import Digest
from tests.http.servers import Reply, Request, Server, serve

_PASSED = ("content-type", "content-range", "docker-content-digest", "www-authenticate")


@dataclass
class Between:
    """Passes requests on.

    Attributes:
        host: Where it listens.
        upstream: The registry's host.
        server: Its log.
        change: Makes something else of an answer.
    """

    host: str
    upstream: str
    server: Server
    change: Callable[[Request, Reply], Reply] = field(default=lambda _, reply: reply)

    def blobs(self, digest: Digest) -> list[Request]:
        """Requests for a blob so far."""
        return [request for request in self.server.log if request.path.endswith(f"/blobs/{digest}")]

    def get(self, path: str) -> Callable[[Request], Reply]:
        assert path.startswith("/")
        return self._pass_on

    def _pass_on(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answer = requests.get(f"http://{self.upstream}{request.path}", headers=headers, timeout=60)
        kept = {name: value for name, value in answer.headers.items() if name.lower() in _PASSED}
        return self.change(request, Reply(answer.content, answer.status_code, kept))


@contextlib.contextmanager
def between(upstream: str, tls: ssl.SSLContext | None = None) -> Iterator[Between]:
    with serve(tls) as server:
        found = Between(server.url.partition("://")[2], upstream, server)
        server.routes = found  # type: ignore[assignment] # it has what is used of a dictionary
        yield found


def breaking(after: int, times: int) -> Callable[[Request, Reply], Reply]:
    """Hang up after so many bytes of a blob, so many times."""
    left = [times]
    lock = threading.Lock()

    def change(request: Request, reply: Reply) -> Reply:
        with lock:
            if "/blobs/" in request.path and len(reply.body) > after and left[0]:
                left[0] -= 1
                return Reply(reply.body, reply.status, reply.headers, cut=after)
        return reply

    return change
