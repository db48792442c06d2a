"""Downloads in several threads that end together: on Ctrl-C, and when one of them fails."""

import threading
from collections.abc import Collection
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import requests

_POLL = 0.5  # seconds between looks at Ctrl-C, for systems where waiting can't be interrupted


class Downloads:
    """What is being read just now.

    Attributes:
        stopped: Set when everything has to end.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._open: set[requests.Response] = set()
        self._lock = threading.Lock()

    def opened(self, response: requests.Response) -> None:
        """A thread begins to read a response."""
        with self._lock:
            self._open.add(response)

    def closed(self, response: requests.Response) -> None:
        """It has ended, one way or the other."""
        with self._lock:
            self._open.discard(response)
        response.close()

    def stop(self) -> None:
        """End every download now: threads blocked in a read wake up, and their temporary files go."""
        self.stopped.set()
        with self._lock:
            for response in self._open:
                _shut_down(response)

    def wait_for(self, futures: Collection[Future[Any]], pool: ThreadPoolExecutor) -> None:
        """Wait until all are done; the first exception, Ctrl-C included, ends the others and is raised."""
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, _POLL, FIRST_EXCEPTION)
                for future in done:
                    future.result()
        except BaseException:
            self.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _shut_down(response: requests.Response) -> None:
    try:
        response.raw.shutdown()
    except (AttributeError, RuntimeError, ValueError, OSError):
        return  # already at its end, or a body that isn't a socket
