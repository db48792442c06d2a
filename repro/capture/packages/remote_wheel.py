"""Reading single files of a published wheel without downloading it, by HTTP range requests (RFC 9110, section 14)."""

import io
import re
import zipfile
from typing import IO

import requests

from repro.capture.packages.index import IndexClient, IndexFile
from repro.errors import InfrastructureError
from repro.http import Session, network_errors
from repro.urls import redact

_AHEAD = 1 << 16
_PARTIAL = 206
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def read_dist_info(file: IndexFile, name: str, client: IndexClient) -> bytes | None:
    """A file of the wheel's `.dist-info` directory, such as `RECORD`; None when it has none.

    Nothing proves these bytes: they may decide what is looked at, never what is installed.

    Raises:
        InfrastructureError: The wheel can't be reached, or is no zip.
    """
    try:
        with _open(file, client) as stream, zipfile.ZipFile(stream) as archive:
            return _member(archive, name)
    except zipfile.BadZipFile as error:
        raise InfrastructureError(
            f"{redact(file.url)} is not a wheel: {error}",
            where=file.name,
            fix="Try again; if it stays so, tell whoever runs the index.",
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    for path in archive.namelist():
        folder, _, rest = path.partition("/")
        if folder.endswith(".dist-info") and rest == name:
            return archive.read(path)
    return None


def _open(file: IndexFile, client: IndexClient) -> IO[bytes]:
    """The wheel's bytes: those on this machine, else ranges of the published ones, else all of them."""
    kept = client.kept(file)
    if kept is None:
        remote = _Ranges.open(file.url, client.file_sessions())
        if remote is not None:
            return io.BufferedReader(remote, _AHEAD)
    return client.download(file).open("rb")


class _Ranges(io.RawIOBase):
    """A file behind a URL that is asked for piece by piece; `zipfile` reads its end, its directory and one member."""

    def __init__(self, url: str, asking: Session, size: int, tail: bytes) -> None:
        self._url = url
        self._asking = asking
        self._size = size
        self._tail = tail  # the last bytes, which came with the size
        self._at = 0

    @classmethod
    def open(cls, url: str, asking: Session) -> "_Ranges | None":
        """None where the server doesn't know ranges."""
        found = _ask(url, asking, f"bytes=-{_AHEAD}")
        matched = None if found is None else _RANGE.fullmatch(found.headers.get("Content-Range", ""))
        if found is None or matched is None:
            return None
        return cls(url, asking, int(matched[2]), found.content)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # Buffer is Python 3.12's
        block = self._block(min(len(buffer), self._size - self._at))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)

    def _block(self, length: int) -> bytes:
        if length <= 0:
            return b""
        start = self._at - (self._size - len(self._tail))
        if start >= 0:
            return self._tail[start : start + length]
        found = _ask(self._url, self._asking, f"bytes={self._at}-{self._at + length - 1}")
        if found is None:
            raise InfrastructureError(
                f"{redact(self._url)} can't be read in pieces any more", fix="Try again in a moment."
            )
        return found.content[:length]


def _ask(url: str, asking: Session, span: str) -> requests.Response | None:
    """The answer when it is a part; the connection is given up when the whole file begins to come."""
    with network_errors(url, asking.trust):
        answer = asking.get(url, headers={"Accept-Encoding": "identity", "Range": span}, stream=True)
        with answer:
            if answer.status_code != _PARTIAL:
                return None
            answer.content  # noqa: B018 - read here, where the connection's faults are told
            return answer
