"""What the docker SDK raises, as errors of ours; and how work that Ctrl-C must not cut in half is finished first."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import requests
import urllib3
from docker.errors import APIError, DockerException

from repro.errors import InfrastructureError

_T = TypeVar("_T")

TRANSPORT = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError)
"""Everything the SDK raises when an engine refuses, stops answering or never did."""

_FREE = "Free some of the engine's disk (`docker system df` shows what uses it)."
_SHARE = (
    "The engine doesn't see this machine's files. Where it runs in a virtual machine, share the folder with that; "
    "where it runs on another machine, verify there, or here with --engine bubblewrap."
)
_FIXES = {
    "no space left on device": _FREE,
    "disk quota exceeded": _FREE,
    "bind source path does not exist": _SHARE,
    "mounts denied": _SHARE,
}


@contextlib.contextmanager
def engine_errors(doing: str, where: str | None = None) -> Iterator[None]:
    """Turn an engine's failures into an InfrastructureError that says what we were `doing` ("create a container")."""
    try:
        yield
    except APIError as error:
        raise refused(doing, error.explanation or str(error), where) from error
    except TRANSPORT as error:
        raise InfrastructureError(
            f"the container engine stopped answering while asked to {doing}",
            where=where,
            fix="Check that it still runs (`repro doctor`), then run the command again.",
            details=str(error),
        ) from error


def refused(doing: str, reason: str, where: str | None = None, details: str = "") -> InfrastructureError:
    """The error for an engine that answered, but with a refusal."""
    said = reason.lower()
    fix = next((fix for sign, fix in _FIXES.items() if sign in said), None)
    return InfrastructureError(
        f"the container engine could not {doing}: {reason.strip()}", where=where, fix=fix, details=details
    )


@contextlib.contextmanager
def closing_responses(api: requests.Session) -> Iterator[list[requests.Response]]:
    """Close every response of the requests made in this block, whether it was read to its end or not.

    By that an engine knows that it has to stop. While an exception travels, its traceback would keep a response,
    and with it the work, alive. Yields the responses so far.
    """
    hooks: list[Any] = api.hooks["response"]
    seen: list[requests.Response] = []

    def remember(response: requests.Response, **_: Any) -> None:
        seen.append(response)

    hooks.append(remember)
    try:
        yield seen
    finally:
        hooks.remove(remember)
        for response in seen:
            with contextlib.suppress(*TRANSPORT, OSError):
                response.close()


def to_the_end(work: Callable[[], _T]) -> _T:
    """Finish a short piece of work even when Ctrl-C arrives meanwhile; the interrupt is raised afterwards.

    A request that creates or removes something must not be abandoned between the engine's doing it and our knowing.
    """
    done: Future[_T] = Future()
    thread = threading.Thread(target=_settle, args=(work, done), daemon=True)
    thread.start()
    interrupt: KeyboardInterrupt | None = None
    while not done.done():
        try:
            thread.join()
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
    return done.result()


def _settle(work: Callable[[], _T], done: Future[_T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread
        done.set_exception(error)
