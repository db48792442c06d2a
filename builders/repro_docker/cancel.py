"""Giving a build up so that the engine stops it, and knowing when it has stopped."""

import contextlib
import os
import socket
from collections.abc import Iterator

import requests

from repro.engines.failures import to_the_end

_SECONDS = 120.0
_BLOCK = 1 << 16


@contextlib.contextmanager
def stopped_on_error(response: requests.Response) -> Iterator[None]:
    """On any error in this block, Ctrl-C included, end what the engine does for a running request, and wait for that.

    Only our half of the connection is closed. The engine takes that for a client that went away, ends the build after
    the step it is in, and closes the other half: that is how we know. Closing both would leave it to chance whether
    that step's image appears before or after we tidy up.
    """
    held = _second_handle(response)
    try:
        yield
    except BaseException:
        if held is not None:
            to_the_end(lambda: _hang_up(held))
        raise
    finally:
        if held is not None:
            held.close()


def _second_handle(response: requests.Response) -> socket.socket | None:
    """The connection's socket once more: urllib3 closes its own as soon as an interrupted read raises."""
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    if not isinstance(sock, socket.socket):
        return None
    try:
        return socket.socket(fileno=os.dup(sock.fileno()))
    except OSError:
        return None  # not a real one, as with SSH: whoever tidies up has to look more than once


def _hang_up(held: socket.socket) -> None:
    with contextlib.suppress(OSError):
        held.settimeout(_SECONDS)
        held.shutdown(socket.SHUT_WR)
        while held.recv(_BLOCK):
            pass
