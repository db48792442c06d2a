"""A wheel's member as the content of a file: read from the zip whenever it is wanted, proved every time."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.bodies import inflate_checked
from repro.oci.deflate import crc32
from repro.oci.entry import Deflated
from repro_oci.wheel_archive import Member, WheelArchive

_BLOCK = 1 << 18
METADATA_LIMIT = 16 << 20
"""Bytes that a file may have that is read as a whole."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A `repro.oci.entry.Body` inside a wheel.

    Attributes:
        archive: The wheel.
        member: Its place there.
        sha256: The digest that RECORD states; None for what RECORD needn't list.
    """

    archive: WheelArchive
    member: Member
    sha256: Digest | None

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.member.size

    @property
    def deflated(self) -> Deflated | None:
        """The member's own deflate stream; None for a stored member."""
        return Deflated(self.member.stored, self.member.crc) if self.member.deflated else None

    @property
    def where(self) -> str:
        """What to call it in messages."""
        return f"{self.archive.name}: {self.member.name}"

    def plain(self) -> Iterator[bytes]:
        """The content in blocks.

        Raises:
            IntegrityError: Stream, CRC, size or digest disagree; before the last block.
            InfrastructureError: The wheel can't be read.
        """
        if not self.member.deflated:
            return self._stored()
        return (content for _, content in self.pairs() if content)

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Blocks of the deflate stream with what each of them completes. Raises as `plain`, TypeError if stored."""
        member = self.member
        if not member.deflated:
            raise TypeError("there is no deflate stream")
        return inflate_checked(self._reader(), member.stored, member.size, member.crc, self.sha256, self.where)

    def compressed(self) -> Iterator[bytes]:
        """Blocks of the deflate stream, unchecked. Raises IntegrityError when the wheel is too short."""
        read, left = self._reader(), self.member.stored
        while left and (block := read(min(_BLOCK, left))):
            left -= len(block)
            yield block
        if left:
            raise self._damaged(f"{left} of its {self.member.stored} compressed bytes are missing")

    def _reader(self) -> Callable[[int], bytes]:
        position = self.member.offset

        def read(size: int) -> bytes:
            nonlocal position
            block = self.archive.read_at(position, size)
            position += len(block)
            return block

        return read

    def _stored(self) -> Iterator[bytes]:
        hasher, crc, held = hashlib.sha256(), 0, b""
        read, left = self._reader(), self.member.size
        while left and (block := read(min(_BLOCK, left))):
            hasher.update(block)
            crc = crc32(block, crc)
            left -= len(block)
            if held:
                yield held
            held = block
        if left:
            raise self._damaged(f"{left} of its {self.size} bytes are missing")
        if crc != self.member.crc:
            raise self._damaged(f"its CRC-32 is {crc:08x} instead of {self.member.crc:08x}")
        if self.sha256 is not None and hasher.hexdigest() != self.sha256.hex:
            raise self._damaged(f"its sha256 is {hasher.hexdigest()} instead of {self.sha256.hex}")
        if held:
            yield held

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(f"content is damaged: {what}", where=self.where, fix="Get the wheel again.")


def read_whole(body: ZipMember) -> bytes:
    """A small member's content. Raises IntegrityError when it is larger than `METADATA_LIMIT`, and as `plain` does."""
    if body.size > METADATA_LIMIT:
        raise IntegrityError(f"has {body.size} bytes; more than {METADATA_LIMIT} can't be read", where=body.where)
    return b"".join(body.plain())


def begins_with(body: ZipMember, start: bytes) -> bool:
    """Whether the content begins so. Reads no further than needed. Raises as `plain` does."""
    begin = b""
    for block in body.plain():
        begin += block[: len(start)]
        if len(begin) >= len(start):
            break
    return begin.startswith(start)
