"""One blob to a registry (distribution-spec, "Pushing blobs"): in one request, and on from where that broke off."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import requests

from repro.errors import InfrastructureError, IntegrityError, ReproError
from repro.oci.blobs import Blob
from repro.registry.client import Registry
from repro.registry.failures import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, NotFoundError, check_status
from repro.registry.names import ImageName

PUSH = ("pull", "push")
"""What pushing does to a repository."""

RESUMED = 64 << 20
"""Bytes from which on an upload that broke off is gone on with; smaller ones begin again."""

_ATTEMPTS = 4
_PAUSE = 0.5  # seconds before the second attempt, and more before later ones
_BINARY = {"Content-Type": "application/octet-stream"}
_RECEIVED = re.compile(r"(?:bytes=)?0-(\d+)")
_CREATED, _ACCEPTED, _SERVER_ERROR = 201, 202, 500


def upload(
    registry: Registry,
    name: ImageName,
    blob: Blob,
    *,
    location: str | None = None,
    advance: Callable[[int], None],
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Send a blob that the repository doesn't have; what was begun is taken back, where the registry lets us.

    Not every registry tells how much arrived of what broke off (distribution 2 and 3 don't): then all is sent again.

    Args:
        registry: The client.
        name: The repository.
        blob: What to send; it is opened once for each attempt.
        location: Of an upload that was begun already (see `mount`).
        advance: Told how many more bytes are on their way, or how many fewer.
        pause: Waits for so many seconds.

    Raises:
        IntegrityError: The blob isn't what it should be, or the registry made something else of it.
        InfrastructureError: The registry can't be reached, or refuses.
    """
    session = _Upload(registry, name, blob, advance, location)
    try:
        for attempt in range(1, _ATTEMPTS):
            try:
                return session.attempt()
            except InfrastructureError as error:
                if not _may_pass(error):
                    raise
            pause(_PAUSE * attempt)
            session.look()
        session.attempt()
    except BaseException:
        session.cancel()
        raise


def mount(registry: Registry, name: ImageName, blob: Blob, sources: Sequence[ImageName]) -> str | None:
    """Have a repository take a blob over from another one of the same registry (distribution-spec, "Mounting a blob").

    Returns:
        None when that is done, else where an upload was begun instead, to give to `upload`.

    Raises:
        InfrastructureError: The registry can't be reached, or refuses.
    """
    locations = [""]
    for source in sources:
        query = {"mount": str(blob.sha256), "from": source.repository}
        try:
            answer = registry.send("POST", name, "blobs/uploads/", params=query, actions=PUSH)
        except NotFoundError:  # the other repository isn't for us
            continue
        if answer.status_code == _CREATED:
            _give_up(registry, name, locations[-1])
            return None
        if answer.status_code == _ACCEPTED:
            _give_up(registry, name, locations[-1])
            locations.append(answer.headers.get("Location", ""))
    return locations[-1] or _begun(registry, name)


def expect(response: requests.Response, name: ImageName) -> requests.Response:
    """The response to a request that writes, when it is a success.

    Raises:
        InfrastructureError: The registry refuses: above all, we may not write there.
    """
    if response.status_code in {UNAUTHORIZED, FORBIDDEN, NOT_FOUND}:
        raise InfrastructureError(
            f"the registry does not let us push to {name.registry}/{name.repository} ({response.status_code})",
            where=name.registry,
            fix=f"Check the name, and that you may write there: docker login {name.registry}.",
            details=_body(response),
        )
    try:
        check_status(response, name)
    except InfrastructureError as error:
        kind = _StumbledError if response.status_code >= _SERVER_ERROR else InfrastructureError
        raise kind(error.what, where=error.where, fix=error.fix, details=_body(response)) from error
    return response


def check_digest(response: requests.Response, expected: str, name: ImageName) -> None:
    """Raise IntegrityError when the registry says that it has stored something else."""
    stated = response.headers.get("Docker-Content-Digest", expected)
    if stated.startswith("sha256:") and stated != expected:
        raise IntegrityError(
            f"the registry stored something else than it was given: {stated} instead of {expected}",
            where=f"{name.registry}/{name.repository}",
            fix="The registry, or a proxy before it, is damaged or not honest; use another one.",
        )


class _StumbledError(InfrastructureError):
    """The server failed, which may pass."""


@dataclass(slots=True)
class _Upload:
    """An upload on its way.

    Attributes:
        location: Where to send to next; None before it was begun.
        received: Bytes that the registry has.
        told: Bytes that `advance` was told of.
    """

    registry: Registry
    name: ImageName
    blob: Blob
    advance: Callable[[int], None]
    location: str | None
    received: int = 0
    told: int = 0

    def attempt(self) -> None:
        """Send what is missing, and end it."""
        self._count(self.received)
        if self.location is None:
            self.location = _begun(self.registry, self.name)
        if 0 < self.received < self.blob.size:
            span = {"Content-Range": f"{self.received}-{self.blob.size - 1}"}
            self.location = _location(self._sent("PATCH", span), self.name)
            self.received = self.blob.size
        check_digest(self._sent("PUT", {}), str(self.blob.sha256), self.name)

    def look(self) -> None:
        """Find out how much arrived of what broke off; begin again where that can't be told."""
        with contextlib.suppress(InfrastructureError):
            if self.location is not None and self.blob.size > RESUMED:
                answer = self.registry.send("GET", self.name, self.location, actions=PUSH)
                answer.close()
                found = _RECEIVED.fullmatch(answer.headers.get("Range", ""))
                if answer.ok and found and 0 < int(found[1]) < self.blob.size:
                    self.location, self.received = _location(answer, self.name), int(found[1]) + 1
                    return
        self.cancel()
        self.location, self.received = None, 0

    def cancel(self) -> None:
        """Have the registry forget it."""
        _give_up(self.registry, self.name, self.location or "")

    def _sent(self, method: str, headers: dict[str, str]) -> requests.Response:
        left = self.blob.size - self.received
        return expect(
            self.registry.send(
                method,
                self.name,
                self.location or "",
                headers={**_BINARY, **headers},
                params={"digest": str(self.blob.sha256)} if method == "PUT" else None,
                data=self._rest if left else b"",
                size=left or None,
                actions=PUSH,
            ),
            self.name,
        )

    def _rest(self) -> Iterator[bytes]:
        """What the registry doesn't have yet. All of it is hashed, from the first byte on."""
        done = 0
        self._count(self.received)
        for block in self.blob.plain():
            new = block[max(self.received - done, 0) :]
            done += len(block)
            if new:
                self._count(done)
                yield new

    def _count(self, total: int) -> None:
        self.advance(total - self.told)
        self.told = total


def _begun(registry: Registry, name: ImageName) -> str:
    return _location(expect(registry.send("POST", name, "blobs/uploads/", actions=PUSH), name), name)


def _location(response: requests.Response, name: ImageName) -> str:
    found = response.headers.get("Location")
    if not found:
        raise InfrastructureError("the registry doesn't say where to upload to", where=name.registry)
    return found


def _give_up(registry: Registry, name: ImageName, location: str) -> None:
    """Cancel an upload where the registry knows how to; it would forget it by itself, but later."""
    if location:
        with contextlib.suppress(ReproError):
            registry.send("DELETE", name, location, actions=PUSH).close()


def _may_pass(error: InfrastructureError) -> bool:
    """Whether the connection broke or the server stumbled, rather than refused."""
    return isinstance(error, _StumbledError) or isinstance(
        error.__cause__, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    )


def _body(response: requests.Response) -> str:
    """What registries write about an error (distribution-spec, "Error Codes")."""
    return response.text[:2000] if "json" in response.headers.get("Content-Type", "") else ""
