"""An object that is not yet whole, on disk: `partial/<digest>` beside the objects, kept when a download is cut off."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from repro.digest import Digest
from repro.files import disk_errors
from repro.store.objects import Incoming, ObjectStore

_BLOCK = 1 << 20


class Partial(Incoming):
    """What has come of a blob so far, hashed.

    Attributes:
        inherited: Whether some bytes come from an earlier run, which nobody has checked.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        while block := stream.read(_BLOCK):
            self._hasher.update(block)
            self.size += len(block)
        self.inherited = self.size > 0

    def restart(self) -> None:
        """Forget everything so far, what was inherited too."""
        super().restart()
        self.inherited = False


@contextlib.contextmanager
def alone(store: ObjectStore, digest: Digest, wait: Callable[[], None]) -> Iterator[None]:
    """Be the only one, of all processes, to download a blob. `wait` is called again and again while another does.

    Raises InfrastructureError when the disk refuses.
    """
    path = _path(store, digest).with_suffix(".lock")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        while not lock.is_locked:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                wait()
    try:
        yield
        if store.has(digest):
            path.unlink(missing_ok=True)  # who waits for it finds the blob first
    finally:
        lock.release()


@contextlib.contextmanager
def partial(store: ObjectStore, digest: Digest) -> Iterator[Partial]:
    """The partial file of a blob, to go on with; only for who is `alone`.

    When the block ends, the file becomes the object, whose digest the block has to have compared. On any error, Ctrl-C
    included, what has come stays for the next attempt. Raises InfrastructureError when the disk refuses.
    """
    path = _path(store, digest)
    with disk_errors(path):
        try:
            with path.open("r+b" if path.exists() else "w+b") as stream:
                yield Partial(stream)
                stream.flush()
                os.fsync(stream.fileno())
            store.adopt(path, digest)
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()


def _path(store: ObjectStore, digest: Digest) -> Path:
    return store.directory / "partial" / digest.hex
