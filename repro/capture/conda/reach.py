"""Whether channels still have what was installed from them: asked without downloading, and never told with secrets."""

import enum
import hashlib
import threading
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from repro.conda.caches import Stated
from repro.errors import InfrastructureError, UsageError
from repro.http import Session, network_errors
from repro.store import ObjectStore
from repro.urls import redact

_BLOCK = 1 << 20
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_ASK_AGAIN = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
"""Answers of servers that don't know HEAD, or know it for other addresses than they redirect to."""


class Where(enum.Enum):
    """What a channel says of an archive."""

    THERE = "there"
    GONE = "gone"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Reach:
    """Asks servers; one that can't be reached is asked once.

    Args:
        sessions: Gives each thread a session that knows the channels' credentials.
    """

    def __init__(self, sessions: Callable[[], Session]) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._silent: set[str] = set()

    def of(self, url: str) -> Where:
        """Whether a URL leads to an archive; unknown where the network or its server fails just now."""
        host = urlsplit(url).netloc
        with self._lock:
            if host in self._silent:
                return Where.UNKNOWN
        try:
            status = self._status(url)
        except (InfrastructureError, UsageError):
            with self._lock:
                self._silent.add(host)
            return Where.UNKNOWN
        if status in _GONE:
            return Where.GONE
        if status in _REFUSED:
            return Where.REFUSED
        return Where.THERE if status < HTTPStatus.BAD_REQUEST else Where.UNKNOWN

    def download(self, url: str, cache: ObjectStore) -> Stated:
        """Fetch an archive of which no digest is known, and say what it is.

        Raises:
            InfrastructureError: It can't be had.
        """
        session = self._sessions()
        hasher = hashlib.md5(usedforsecurity=False)
        with network_errors(url, session.trust):
            response = session.get(url, stream=True, headers={"Accept-Encoding": "identity"})
        if not response.ok:
            response.close()
            raise InfrastructureError(f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip())
        with cache.incoming() as incoming, network_errors(url, session.trust), response:
            for block in response.iter_content(_BLOCK):
                incoming.write(block)
                hasher.update(block)
        return Stated(incoming.digest, incoming.size, hasher.hexdigest())

    def _status(self, url: str) -> int:
        session = self._sessions()
        with network_errors(url, session.trust):
            answer: requests.Response = session.head(url, allow_redirects=True)
            if answer.status_code in _ASK_AGAIN:
                answer = session.get(url, stream=True, headers={"Range": "bytes=0-0"})
                answer.close()
        return answer.status_code
