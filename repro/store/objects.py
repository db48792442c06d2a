"""Files named by their content, on disk: `sha256/<2 hex>/<64 hex>` below one directory."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.files import PLACE, atomic_write, disk_errors

_BLOCK = 1 << 20
_READ_ONLY = 0o444
_IGNORE_ALL = b"*\n"
_PROJECT = ".repro"


def project_store(root: Path) -> "ObjectStore":
    """The object store of the project at `root`: `.repro/objects`."""
    return ObjectStore(root / _PROJECT / "objects")


def keep_out_of_git(home: Path) -> None:
    """Let a project's `.repro` ignore itself."""
    ignore = home / ".gitignore"
    if not ignore.exists():
        atomic_write(ignore, _IGNORE_ALL)


def wheel_path(digest: Digest, name: str) -> str:
    """Where a project offers a wheel under its own name, as a POSIX path relative to the project root."""
    return f"{_PROJECT}/wheels/{digest.short}/{name}"


class Incoming:
    """Bytes on their way into a store: written to a temporary file, hashed as they come.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()
        self.size = 0

    def write(self, block: bytes) -> None:
        """Append a block."""
        self._stream.write(block)
        self._hasher.update(block)
        self.size += len(block)

    def restart(self) -> None:
        """Forget everything written so far."""
        self._stream.seek(0)
        self._stream.truncate()
        self._hasher = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> Digest:
        """The digest of the bytes so far."""
        return Digest(self._hasher.hexdigest())


class ObjectStore:
    """Objects below one directory. Safe for several threads and processes: objects appear whole or not at all.

    Attributes:
        directory: Where they are; made on the first write.
        durable: Whether objects are on the disk before they get their names. A cache, whose objects are hashed before
            every use and can be had again, doesn't wait for that.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory
        self.durable = durable

    def path(self, digest: Digest) -> Path:
        """Where the object is or would be; its content isn't looked at."""
        return self.directory / "sha256" / digest.hex[:2] / digest.hex

    def has(self, digest: Digest) -> bool:
        """Whether there is such an object; its content isn't looked at."""
        return self.path(digest).is_file()

    def checked_path(self, digest: Digest) -> Path:
        """The object's path after hashing its content again.

        Raises:
            IntegrityError: It is missing or its content has changed.
        """
        path = self.path(digest)
        try:
            found = Digest.of_file(path)
        except FileNotFoundError as error:
            raise IntegrityError(f"there is no object {digest}", where=str(path), fix=_RESTORE) from error
        except OSError as error:
            raise IntegrityError(f"can't read an object: {error.strerror}", where=str(path)) from error
        if found != digest:
            raise IntegrityError(f"an object has changed: its content is {found}", where=str(path), fix=_RESTORE)
        return path

    def open(self, digest: Digest) -> BinaryIO:
        """The object's content, checked first. Raises IntegrityError as `checked_path` does."""
        return self.checked_path(digest).open("rb")

    def add_bytes(self, data: bytes) -> Digest:
        """Store bytes. Raises InfrastructureError when the disk refuses."""
        with self.incoming() as stream:
            stream.write(data)
        return stream.digest

    def add_file(self, path: Path) -> Digest:
        """Store a copy of a file, never a link to it.

        Raises:
            InfrastructureError: The disk refuses.
            OSError: `path` can't be read.
        """
        with path.open("rb") as source, self.incoming() as stream:
            while block := source.read(_BLOCK):
                stream.write(block)
        return stream.digest

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place to write a new object to; it gets its name when the block ends, and vanishes on any error.

        Raises:
            InfrastructureError: The disk refuses.
        """
        with disk_errors(self.directory):
            folder = self._prepared("incoming")
            handle, name = tempfile.mkstemp(dir=folder)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "w+b") as stream:
                    incoming = Incoming(stream)
                    yield incoming
                    stream.flush()
                    if self.durable:
                        os.fsync(stream.fileno())
                temporary.chmod(_READ_ONLY)
                self._settle(temporary, incoming.digest)
            finally:
                temporary.unlink(missing_ok=True)

    def adopt(self, path: Path, digest: Digest) -> None:
        """Move a file of the same disk into the store as this object; the caller has just hashed and synced it.

        Raises:
            InfrastructureError: The disk refuses.
        """
        with disk_errors(self.directory):
            path.chmod(_READ_ONLY)
            self._settle(path, digest)

    def discard(self, digest: Digest) -> None:
        """Remove an object, if there is one."""
        with disk_errors(self.directory):
            self.path(digest).unlink(missing_ok=True)

    def offer_wheel(self, digest: Digest, name: str) -> Path:
        """Make a stored wheel available under its own name, for pip's --find-links; returns that path.

        It is a hard link to the object, or a copy where the file system has none. Only for project stores.
        """
        path = self.directory.parent.parent / wheel_path(digest, name)
        with disk_errors(path):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(f".{name}.{os.getpid()}")
                try:
                    _link_or_copy(self.path(digest), temporary)
                    temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
        return path

    def _settle(self, temporary: Path, digest: Digest) -> None:
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.name == "nt" and path.exists():
            path.chmod(0o600)  # a read-only file can't be replaced there
        temporary.replace(path)

    def _prepared(self, name: str) -> Path:
        folder = self.directory / name
        with disk_errors(folder, PLACE):
            folder.mkdir(parents=True, exist_ok=True)
        if self.directory.parent.name == _PROJECT:
            keep_out_of_git(self.directory.parent)
        return folder


_RESTORE = "Copy .repro/objects from where the lock was captured, or capture again."


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(_READ_ONLY)
