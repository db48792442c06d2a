"""Following a build, giving it up so that the engine stops it, and hearing what it made until then."""

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterable

import requests

from repro.engines.failures import to_the_end

_SECONDS = 120.0

Message = dict[str, object]


def follow(
    response: requests.Response,
    messages: Iterable[Message],
    hear: Callable[[Message], None],
    show: Callable[[Message], None],
) -> None:
    """Pass each message of a running request on: to `hear` in any case, to `show` until an error, Ctrl-C included.

    On such an error only our half of the connection is closed. The engine takes that for a client that went away, ends
    the build after the step it is in, says what that made, and closes the other half. Closing both would leave it to
    chance whether that step's image appears before or after we tidy up, and nobody would know whose it is. A thread
    of its own does the reading, since Ctrl-C in the middle of that would break the stream.
    """
    held = _second_handle(response)
    if held is None:  # as with SSH: whoever tidies up has to look more than once
        for message in messages:
            hear(message)
            show(message)
        return
    with held:
        reader = _Reader(messages, hear)
        try:
            for message in reader:
                show(message)
        except BaseException:
            to_the_end(lambda: _hang_up(held, reader))
            raise


class _Reader:
    """Reads messages in a thread; iterating gives them, and raises what reading raised."""

    def __init__(self, messages: Iterable[Message], hear: Callable[[Message], None]) -> None:
        self._messages = messages
        self._hear = hear
        self._queue: queue.SimpleQueue[Message | BaseException | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def __iter__(self) -> "_Reader":
        return self

    def __next__(self) -> Message:
        item = self._queue.get()
        if item is None:
            raise StopIteration
        if isinstance(item, BaseException):
            raise item
        return item

    def _read(self) -> None:
        end: BaseException | None = None
        try:
            for message in self._messages:
                self._hear(message)
                self._queue.put(message)
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread
            end = error
        self._queue.put(end)


def _second_handle(response: requests.Response) -> socket.socket | None:
    """The connection's socket once more: urllib3 closes its own where it likes."""
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    if not isinstance(sock, socket.socket):
        return None
    try:
        return socket.socket(fileno=os.dup(sock.fileno()))
    except OSError:
        return None


def _hang_up(held: socket.socket, reader: _Reader) -> None:
    with contextlib.suppress(OSError):
        held.shutdown(socket.SHUT_WR)
    reader.thread.join(_SECONDS)
    with contextlib.suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)
