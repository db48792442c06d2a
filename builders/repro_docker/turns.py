"""Builds of one lock by one user take turns: they would use, and tidy up, each other's unfinished images."""

import contextlib
import sys
from collections.abc import Iterator
from typing import BinaryIO

from repro.digest import Digest
from repro.files import disk_errors
from repro.progress import Progress
from repro.store.cache import cache_directory

if sys.platform == "win32":

    def _lock(stream: BinaryIO, *, wait: bool) -> None:
        """Nothing: what the builds say about themselves has to do there."""

else:
    import fcntl

    def _lock(stream: BinaryIO, *, wait: bool) -> None:
        """Take the lock, which ends with the stream. Raises BlockingIOError when it is taken and we don't `wait`."""
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextlib.contextmanager
def turn(lock: Digest, progress: Progress) -> Iterator[None]:
    """Be the only one of this user's processes and threads that builds this lock.

    Raises InfrastructureError when the cache directory can't be written to.
    """
    path = cache_directory() / "builds" / f"{lock.hex}.lock"
    with contextlib.ExitStack() as stack:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(path.open("ab"))
        try:
            _lock(stream, wait=False)
        except BlockingIOError:
            progress.note("waiting for another build of this lock")
            _lock(stream, wait=True)
        yield
