"""The bytes of a source from an offset on: over HTTP, and from this machine. What they should be is not known here."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import requests

from repro.errors import InfrastructureError
from repro.http import Session, network_errors
from repro.sources.uri import local_path
from repro.store.downloads import Downloads
from repro.urls import redact

_BLOCK = 1 << 18
_TOO_FAR = 416


@dataclass(frozen=True, slots=True)
class Body:
    """Content under way.

    Attributes:
        start: Where it begins: the offset that was asked for, or 0 where the other side can't begin in the middle.
        blocks: The bytes from there on.
    """

    start: int
    blocks: Iterator[bytes]


Open = Callable[[str, int, int], AbstractContextManager[Body]]
"""Opens a source (its text, the file's whole size, the offset to begin at)."""


@dataclass(frozen=True, slots=True)
class Network:
    """What requests over HTTP share.

    Attributes:
        sessions: Gives each thread its own session.
        downloads: Knows what is being read, to end it on Ctrl-C.
        ca_cert: CA certificates that were named, for libraries with connections of their own.
        environ: Where logins and endpoints are looked up.
    """

    sessions: Callable[[], Session]
    downloads: Downloads = field(default_factory=Downloads)
    ca_cert: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def web_body(
    network: Network, url: str, offset: int, headers: Mapping[str, str] | None = None, login: str = "netrc"
) -> Iterator[Body]:
    """An http or https resource.

    Args:
        network: How to get there.
        url: Address.
        offset: Where to begin.
        headers: Sent along; not to another host that it redirects to, if they authorise.
        login: Where credentials for it would be looked up, for the error.

    Raises:
        InfrastructureError: The host can't be reached, or doesn't give the file.
    """
    session = network.sessions()
    asked = {"Accept-Encoding": "identity", **(headers or {}), **({"Range": f"bytes={offset}-"} if offset else {})}
    with network_errors(url, session.trust):
        response = session.get(url, headers=asked, stream=True)
    network.downloads.opened(response)
    try:
        if response.status_code == _TOO_FAR and offset:  # what is there now is shorter than what has come
            with web_body(network, url, 0, headers, login) as body:
                yield body
            return
        _check_status(url, response, login)
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        yield Body(offset if goes_on else 0, _read(url, session.trust, response))
    finally:
        network.downloads.closed(response)


@contextlib.contextmanager
def local_body(text: str, offset: int, root: Path) -> Iterator[Body]:
    """A `file:` source. Raises InfrastructureError when it can't be read."""
    path = local_path(text, root)
    with contextlib.ExitStack() as stack:
        with _readable(path):
            stream = stack.enter_context(path.open("rb"))
            stream.seek(offset)
        yield Body(offset, _blocks(path, stream))


def _blocks(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    with _readable(path):
        while block := stream.read(_BLOCK):
            yield block


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"can't read {path}: {error.strerror}", fix="Mount or restore that place, then run `repro pull` again."
        ) from error


def _read(url: str, trust: str, response: requests.Response) -> Iterator[bytes]:
    with network_errors(url, trust):
        yield from response.iter_content(_BLOCK)


def _check_status(url: str, response: requests.Response, login: str) -> None:
    if response.ok:
        return
    refused = response.status_code in {401, 403}
    host = re.sub(r"^\w+://([^/]+).*", r"\1", redact(url))
    raise InfrastructureError(
        f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip(),
        fix=f"Give credentials for {host} in {login}, then run `repro pull` again."
        if refused
        else "If the file is gone from there, get it from who captured it, or name another place in [sources].",
    )
