"""Builds of one lock by one user take turns: they would use, and tidy up, each other's unfinished images."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from repro import flock
from repro.digest import Digest
from repro.files import disk_errors
from repro.progress import Progress
from repro.store.cache import cache_directory


@contextlib.contextmanager
def turn(lock: Digest, progress: Progress) -> Iterator[None]:
    """Be the only one of this user's processes and threads that builds this lock (on Windows, one of several).

    Raises InfrastructureError when the cache directory can't be written to.
    """
    path = cache_directory() / "builds" / f"{lock.hex}.lock"
    handle = None
    while handle is None:
        handle = _locked(path, progress)
    try:
        yield
    finally:
        os.close(handle)


def _locked(path: Path, progress: Progress) -> int | None:
    """A handle of the locked file, None when that was removed with the rest of the cache before we had the lock."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not flock.lock(handle, wait=False):
            progress.note("waiting for another build of this lock")
            flock.lock(handle)
        if flock.is_at(handle, path):
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
