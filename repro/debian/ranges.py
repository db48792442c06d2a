"""Files inside a plain tar on disk, read where they are."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.bodies import Undeflated, proved

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class RangeBody(Undeflated):
    """Part of a file as content, proved while it is read.

    Attributes:
        path: The file.
        offset: Where the content begins.
        size: Its bytes.
        sha256: Digest that they must have.
        label: What to call it in messages.
    """

    path: Path
    offset: int
    size: int
    sha256: Digest
    label: str

    def plain(self) -> Iterator[bytes]:
        """The content in blocks, the last one only when the digest proved right.

        Raises IntegrityError when the file is gone or has changed.
        """
        return proved(self._read(), self.sha256, self._changed)

    def _changed(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"a cached file changed: its sha256 is {found} instead of {self.sha256.hex}",
            where=self.label,
            fix="Run the command again; remove the cache if it happens again.",
        )

    def open(self) -> BinaryIO:
        """A seekable stream of the content, which is not checked; the caller closes it. Raises OSError."""
        return cast("BinaryIO", io.BufferedReader(_Window(self.path.open("rb"), self.offset, self.size)))

    def _read(self) -> Iterator[bytes]:
        try:
            with self.open() as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except OSError as error:
            raise IntegrityError(f"a cached file can't be read: {error.strerror}", where=self.label) from error


class _Window(io.RawIOBase):
    """Part of a seekable stream, as a stream of its own; closed together."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._offset, self._size, self._place = stream, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._place)]
        self._stream.seek(self._offset + self._place)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
