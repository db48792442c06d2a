"""What a layer holds, one value a path, and where the bytes of a file come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from repro.digest import Digest


@dataclass(frozen=True, slots=True)
class Deflated:
    """Content as a complete raw deflate stream (RFC 1951) that was checked while the caller took its pieces.

    Attributes:
        size: Bytes of the stream.
        crc: CRC-32 of the content.
    """

    size: int
    crc: int


class Body(Protocol):
    """The content of one file. Can be read more than once; nothing larger than a block is held in memory.

    Attributes:
        size: Bytes of the content.
        sha256: Digest of the content where it is known beforehand, else None.
        deflated: The raw deflate stream that the source already has, or None when it has none.
    """

    @property
    def size(self) -> int:
        """See above."""
        ...

    @property
    def sha256(self) -> Digest | None:
        """See above."""
        ...

    @property
    def deflated(self) -> Deflated | None:
        """See above."""
        ...

    def plain(self) -> Iterator[bytes]:
        """The content in blocks. Raises IntegrityError before the last block when it isn't what was promised."""
        ...

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Blocks of the deflate stream with the content that each of them completes; only where `deflated` is set.

        Either part of a pair may be empty. Raises IntegrityError when stream, CRC, size or digest disagree.
        """
        ...

    def compressed(self) -> Iterator[bytes]:
        """Blocks of the deflate stream, unchecked: for whoever knows the digest of what he makes of them.

        Only where `deflated` is set. Raises IntegrityError when it is shorter than it should be.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a layer; it belongs to user 0 and group 0.

    Attributes:
        path: POSIX path relative to `/`, without leading, trailing or repeated slashes, `.` or `..`.
        kind: What it is.
        mode: Permission bits, 0o777 for links.
        body: A file's content; None for anything else.
        target: Text of a symbolic link, or the path of a hard link's file (relative to `/`, same layer).
        origin: Who brought it, for messages: a wheel's or package's file name, a project path.
    """

    path: str
    kind: Literal["file", "directory", "symlink", "hardlink"]
    mode: int
    body: Body | None = None
    target: str = ""
    origin: str = ""
