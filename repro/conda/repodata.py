"""Indexes of channels (repodata.json), as local files: what a channel has now, and what it says of one package."""

import functools
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from repro.conda.caches import Stated, read_stated
from repro.conda.decompress import unpacked_zstd
from repro.conda.names import channel_address, is_local
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.files import atomic_file
from repro.http import Session, network_errors
from repro.urls import redact

_GONE = frozenset({404, 410})
_LARGEST = 4 << 30


class Repodata:
    """The indexes of any channels; each is had once.

    Args:
        sessions: Gives each thread a session that knows the channels' credentials.
        folder: Existing directory for the files.
    """

    def __init__(self, sessions: Callable[[], Session], folder: Path) -> None:
        self._sessions = sessions
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, Path | None] = {}
        self._index = functools.lru_cache(maxsize=2)(_parsed)  # those of large channels take a gigabyte each

    def file(self, channel: str, subdir: str) -> Path | None:
        """A channel's index for one platform, uncompressed; None where the channel has nothing for that.

        Args:
            channel: The channel's URL, of which nothing but http, https and file is known here.
            subdir: `linux-64`, `noarch`, …

        Raises:
            InfrastructureError: The index can't be had.
            IntegrityError: It is damaged.
        """
        address = f"{channel.rstrip('/')}/{subdir}"
        with self._lock:
            if address not in self._files:
                self._files[address] = _on_disk(address) if is_local(channel) else self._fetched(address)
            return self._files[address]

    def stated(self, url: str, subdir: str) -> Stated | None:
        """What the index of a package's channel says of it; None when it lists no such package any more.

        Args:
            url: Where the package is or was.
            subdir: `linux-64`, `noarch`, …

        Raises:
            InfrastructureError: The index can't be had or read.
            IntegrityError: It is damaged.
        """
        path = self.file(channel_address(url), subdir)
        index = {} if path is None else self._index(path)
        file = url.rpartition("/")[2]
        entry = next((index[key][file] for key in ("packages.conda", "packages") if file in index.get(key, {})), None)
        return read_stated(entry) if isinstance(entry, Mapping) else None

    def _fetched(self, address: str) -> Path | None:
        path = self._folder / f"{Digest.of(address.encode()).hex}.json"
        return next((path for name in ("repodata.json.zst", "repodata.json") if self._get(address, name, path)), None)

    def _get(self, address: str, name: str, path: Path) -> bool:
        """Write an index to a file, unless the channel hasn't it in this form."""
        url = f"{address}/{name}"
        session = self._sessions()
        with network_errors(url, session.trust):
            response = session.get(url)
        if response.status_code in _GONE:
            return False
        _check(response.ok, f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip())
        blocks = [response.content]
        with atomic_file(path, durable=False) as stream:
            for block in unpacked_zstd(blocks, _LARGEST, redact(url)) if name.endswith(".zst") else blocks:
                stream.write(block)
        return True


def _on_disk(address: str) -> Path | None:
    path = Path(url2pathname(urlsplit(address).path) if "://" in address else address) / "repodata.json"
    return path if path.is_file() else None


def _check(ok: bool, what: str) -> None:  # noqa: FBT001 - the answer's own word
    if not ok:
        fix = "Check that the channel can be reached, and give credentials for it (docs/how-to/conda.md)."
        raise InfrastructureError(what, fix=fix)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_bytes())
    except ValueError as error:
        raise InfrastructureError("the channel's index is no JSON", where=str(path)) from error
    return index if isinstance(index, dict) else {}
