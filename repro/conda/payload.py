"""Decompressed contents of a package in a file without a name, and parts of it as contents of a layer's files."""

import hashlib
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.files import disk_errors
from repro.oci.bodies import Undeflated, proved
from repro.store.cache import cache_directory

_BLOCK = 1 << 20


class Payload:
    """A file in the user's cache that has no name: it is gone with the last of its parts, however this process ends.

    Attributes:
        size: Its bytes so far.
    """

    def __init__(self) -> None:
        directory = cache_directory()
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory, buffering=0) as stream:
                self._handle = os.dup(stream.fileno())
        weakref.finalize(self, os.close, self._handle)
        self._directory = directory
        self._turn = threading.Lock()
        self.size = 0

    def append(self, pieces: Iterable[bytes], label: str) -> "Part":
        """Write pieces at the end, and return them as one part. Raises InfrastructureError when the disk refuses."""
        hasher, start = hashlib.sha256(), self.size
        for piece in pieces:
            hasher.update(piece)
            self._write(piece)
        return Part(self, start, self.size - start, Digest(hasher.hexdigest()), label)

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Write blocks at the end. Raises InfrastructureError when the disk refuses."""
        for block in blocks:
            self._write(block)

    def part(self, offset: int, size: int, label: str) -> "Part":
        """A part whose digest is made now. Raises IntegrityError when the payload is shorter."""
        whole = Part(self, offset, size, None, label)
        hasher = hashlib.sha256()
        for block in whole.plain():
            hasher.update(block)
        return Part(self, offset, size, Digest(hasher.hexdigest()), label)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer at the end. Raises OSError. Safe for several threads."""
        if hasattr(os, "pread"):
            return os.pread(self._handle, size, offset)
        with self._turn:
            os.lseek(self._handle, offset, os.SEEK_SET)
            return os.read(self._handle, size)

    def open(self) -> BinaryIO:
        """A stream of everything, for one reader while nobody writes; the caller closes it."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._handle), "rb")

    def mapped(self) -> mmap.mmap:
        """Everything there is now as memory that the system pages in; the caller closes it. It must not be empty."""
        return mmap.mmap(self._handle, self.size, access=mmap.ACCESS_READ)

    def _write(self, piece: bytes) -> None:
        with memoryview(piece) as view, disk_errors(self._directory), self._turn:
            os.lseek(self._handle, self.size, os.SEEK_SET)
            done = 0
            while done < len(view):
                done += os.write(self._handle, view[done:])
            self.size += done


@dataclass(frozen=True, slots=True)
class Part(Undeflated):
    """A `repro.oci.entry.Body` that is part of a payload, proved while it is read where its digest is known.

    Attributes:
        payload: What it is part of.
        offset: Where it begins.
        size: Its bytes.
        sha256: Digest that they must have, where somebody stated one.
        label: What to call it in messages.
    """

    payload: Payload
    offset: int
    size: int
    sha256: Digest | None
    label: str

    def plain(self) -> Iterator[bytes]:
        """The content in blocks, the last one only when the digest proved right.

        Raises:
            IntegrityError: It isn't what the package says it is.
            InfrastructureError: The disk fails.
        """
        said = self.sha256
        if said is None:
            return self._blocks()
        return proved(
            self._blocks(),
            said,
            lambda found: IntegrityError(
                f"its sha256 is {found}, the package says {said.hex}", where=self.label, fix=AGAIN
            ),
        )

    def _blocks(self) -> Iterator[bytes]:
        done = 0
        while done < self.size:
            try:
                block = self.payload.read_at(self.offset + done, min(_BLOCK, self.size - done))
            except OSError as error:
                raise InfrastructureError(f"can't be read again: {error.strerror}", where=self.label) from error
            if not block:
                raise IntegrityError(f"{self.size - done} of its {self.size} bytes are missing", where=self.label)
            done += len(block)
            yield block


AGAIN = "Get the package again from its channel; if it is the same again, use another build of it."
