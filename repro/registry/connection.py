"""One request to a registry, with everything that may happen on its way: challenges, redirects, too many requests."""

import contextlib
import email.utils
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from repro import http
from repro.errors import InfrastructureError
from repro.registry.auth import Actions, Anonymous, Authenticator
from repro.registry.failures import TOO_MANY, UNAUTHORIZED
from repro.registry.names import ImageName
from repro.urls import redact

Body = bytes | Callable[[], Iterable[bytes]] | None
"""What a request carries: bytes, or what makes blocks of bytes, once for each try."""

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0
_WRITE_SECONDS = 300.0  # until the answer to an upload: the registry hashes it first
_ATTEMPTS = 4
_LONGEST_WAIT = 30.0
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READING = frozenset({"GET", "HEAD"})


class Connection:
    """Sends requests to registries. Safe for several threads; fails within seconds when there is no network.

    Args:
        make_session: Where HTTP sessions come from, made on first use.
        environ: Where credentials are looked up.
    """

    def __init__(self, make_session: Callable[[], http.Session], environ: Mapping[str, str]) -> None:
        self._make_session = make_session
        self._sessions: Callable[[], http.Session] | None = None
        self._lock = threading.Lock()
        self._auth = Authenticator(environ)

    def send(
        self,
        method: str,
        name: ImageName,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: Body = None,
        size: int | None = None,
        actions: Actions = ("pull",),
        pause: Callable[[float], None] = time.sleep,
    ) -> requests.Response:
        """Send one request; what is returned may have any status (see `repro.registry.check_status`).

        Credentials go to the registry only, never to where it redirects or points to on another host.

        Args:
            method: GET and HEAD follow redirects, their bodies aren't read yet; others do neither.
            name: The repository.
            path: Below `/v2/<repository>/`, or a URL that the registry gave as a Location.
            headers: Headers.
            params: Added to the URL's query.
            data: The body.
            size: Bytes of the body, when `data` makes it; without it, it is sent in chunks.
            actions: What this needs to be allowed: ("pull",) or ("pull", "push").
            pause: Waits for so many seconds when the registry asks for it.

        Raises:
            NotFoundError: The registry wants credentials, and there are none that suffice.
            InfrastructureError: It can't be reached, or points to where it can't be.
        """
        request = _Request(method, _url(name, path), headers or {}, params or {}, data, size)
        for attempt in range(1, _ATTEMPTS + 1):
            response = self._let_in(request, name, actions)
            wait = _asked_to_wait(response)
            if wait is None or attempt == _ATTEMPTS:
                break
            response.close()
            pause(wait)
        return response

    @contextlib.contextmanager
    def errors(self, url: str) -> Iterator[None]:
        """Errors of reading a body, as `repro.http.network_errors` makes them."""
        with http.network_errors(url, self._session().trust):
            yield

    def _let_in(self, request: "_Request", name: ImageName, actions: Actions) -> requests.Response:
        own = _origin(request.url) == _origin(name.url)
        if not own:
            return self._followed(request, Anonymous())
        used = self._auth.known(name, actions)
        response = self._followed(request, used)
        if response.status_code != UNAUTHORIZED or _origin(response.url) != _origin(name.url):
            return response
        return self._followed(request, self._auth.answer(self._session(), response, name, actions, used))

    def _followed(self, request: "_Request", auth: AuthBase | None) -> requests.Response:
        """Send, and follow redirects by hand: no credentials on another host, and never from TLS to without."""
        response = self._once(request, request.url, auth)
        for _ in range(_MOST_REDIRECTS):
            location = response.headers.get("Location")
            if request.method not in _READING or response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = urljoin(response.url, location)
            _check_downgrade(response.url, url)
            auth = auth if _origin(url) == _origin(request.url) else Anonymous()
            response = self._once(request, url, auth)
        response.close()
        raise InfrastructureError("the registry redirects in circles", where=redact(request.url))

    def _once(self, request: "_Request", url: str, auth: AuthBase | None) -> requests.Response:
        reading = request.method in _READING
        session = self._session()
        with http.network_errors(url, session.trust):
            return session.request(
                request.method,
                url,
                headers={"Accept-Encoding": "identity", **request.headers},
                params=request.params if url == request.url else None,
                data=request.body(),
                auth=auth,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS if reading else _WRITE_SECONDS),
                allow_redirects=False,
                stream=reading,
            )

    def _session(self) -> http.Session:
        with self._lock:
            if self._sessions is None:
                self._sessions = http.per_thread(self._made)
        return self._sessions()

    def _made(self) -> http.Session:
        session = self._make_session()
        for adapter in session.adapters.values():  # a dead network is found out at the first try
            adapter.max_retries = adapter.max_retries.new(  # type: ignore[attr-defined]
                connect=0, respect_retry_after_header=False, allowed_methods=_READING
            )
        return session


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    data: Body
    size: int | None

    def body(self) -> Any:
        if not callable(self.data):
            return self.data
        blocks = self.data()
        return iter(blocks) if self.size is None else _Sized(blocks, self.size)


class _Sized:
    """Blocks whose number of bytes is known: requests sends a Content-Length then."""

    def __init__(self, blocks: Iterable[bytes], size: int) -> None:
        self._blocks = blocks
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return self._size


def _url(name: ImageName, path: str) -> str:
    if urlsplit(path).scheme:
        _check_downgrade(name.url, path)
        return path
    return urljoin(name.url, path) if path.startswith("/") else f"{name.url}/{path}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _check_downgrade(old: str, new: str) -> None:
    if urlsplit(old).scheme == "https" and urlsplit(new).scheme != "https":
        raise InfrastructureError(
            "the registry points to an address without TLS",
            where=redact(new),
            fix="Ask who runs the registry to have it give https addresses.",
        )


def _asked_to_wait(response: requests.Response) -> float | None:
    """Seconds (RFC 9110, 10.2.3) after which a refused request may be tried again; None when that isn't asked."""
    if response.status_code != TOO_MANY:
        return None
    text = response.headers.get("Retry-After", "1")
    if text.isdecimal():
        seconds = float(text)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if seconds <= _LONGEST_WAIT else None
