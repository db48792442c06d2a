"""Sizes of files whose index doesn't say them, kept between runs: asking takes a request for each."""

import json
import threading
from pathlib import Path

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.files import atomic_write


class Sizes:
    """What servers said of files, by digest. Safe for several threads; of two processes the later one's news stay.

    Args:
        path: A JSON object of bytes by hex digest. One that is missing or damaged is empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, int] | None = None
        self._new: dict[str, int] = {}
        self._lock = threading.Lock()

    def get(self, sha256: Digest) -> int | None:
        """The size of a file, or None."""
        with self._lock:
            if self._known is None:
                self._known = _read(self._path)
            return self._known.get(sha256.hex)

    def add(self, sha256: Digest, size: int) -> None:
        """Remember a size until `save`."""
        with self._lock:
            if self._known is None or self._known.get(sha256.hex) != size:
                self._new[sha256.hex] = size

    def save(self) -> None:
        """Write what is new; a cache that can't be written is no fault."""
        with self._lock:
            if not self._new:
                return
            self._known = {**_read(self._path), **self._new}
            self._new = {}
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(self._path, json.dumps(self._known, sort_keys=True).encode())
            except (OSError, InfrastructureError):
                return


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: size for key, size in found.items() if isinstance(size, int) and size > 0}
