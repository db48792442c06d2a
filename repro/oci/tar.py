"""Tar headers and streams, byte for byte frozen: USTAR, with PAX records only for what USTAR can't hold.

POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header Block". Python's tarfile isn't used: its output
may change with its version.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from repro.errors import IntegrityError
from repro.oci.entry import Entry

BLOCK = 512
END = bytes(2 * BLOCK)
"""What ends an archive: two blocks of zeros."""
MTIME = 315532800
"""Every file's time: 1980-01-01T00:00:00Z, the earliest that zip archives can hold."""

_TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}
_NAME, _PREFIX, _LINK = 100, 155, 100
_LARGEST = 8**11 - 1
_OWNER = b"%07o\0%07o\0" % (0, 0)
_TIME = b"%011o\0" % MTIME
_BLANK = b" " * 8
"""What the checksum field counts as while the checksum is made."""
_MAGIC = b"ustar\00000"
_NOBODY = bytes(32 + 32 + 8 + 8)
"""No names of user and group, no device numbers."""
_CONSTANT = sum(_OWNER) + sum(_TIME) + sum(_BLANK) + sum(_MAGIC)
_PAX_NAME = b"././@PaxHeader"


def header(entry: Entry) -> bytes:
    """The header blocks of an entry: one of 512 bytes, with a PAX header and its records before it where needed.

    `entry` comes from `repro.oci.tree.complete`, which refuses what no header can hold.
    """
    name = entry.path.encode() + (b"/" if entry.kind == "directory" else b"")
    link = entry.target.encode()
    size = size_of(entry)
    split = _split(name) if name.isascii() else None
    records = {}
    if split is None:
        records["path"] = name
    if len(link) > _LINK or not link.isascii():
        records["linkpath"] = link
    if size > _LARGEST:
        records["size"] = b"%d" % size
    prefix, short = split or (b"", _readable(name, _NAME))
    fields = _Fields(short, entry.mode, min(size, _LARGEST), _TYPES[entry.kind], _readable(link, _LINK), prefix)
    return _pax(records) + _block(fields) if records else _block(fields)


def size_of(entry: Entry) -> int:
    """Bytes of content that follow the header, without padding."""
    return entry.body.size if entry.body is not None else 0


def padding(size: int) -> bytes:
    """The zeros that fill up the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """A plain tar of completed entries, in pieces.

    Raises:
        IntegrityError: A body isn't what was promised; the archive is not finished then.
    """
    for entry in entries:
        yield header(entry)
        if entry.body is not None:
            yield from exactly(entry, entry.body.plain())
            yield padding(entry.body.size)
    yield END


def length(entries: Iterable[Entry]) -> int:
    """Bytes of the archive that `stream` makes, without reading a body."""
    sizes = (len(header(entry)) + size_of(entry) + -size_of(entry) % BLOCK for entry in entries)
    return sum(sizes) + len(END)


def exactly(entry: Entry, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of an entry's content, unless they are longer or shorter than its header says (IntegrityError)."""
    left = size_of(entry)
    for block in blocks:
        left -= len(block)
        if left < 0:
            break
        yield block
    if left:
        raise IntegrityError(
            f"content has another size than the {size_of(entry)} bytes that were announced", where=named(entry)
        )


def named(entry: Entry) -> str:
    """What to call an entry in messages."""
    return f"{entry.origin}: {entry.path}" if entry.origin else entry.path


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Prefix and name of a path, the name as long as can be; None when USTAR can't hold the path."""
    if len(name) <= _NAME:
        return b"", name
    cut = name.find(b"/", len(name) - _NAME - 1)
    if 0 < cut <= _PREFIX and cut + 1 < len(name):
        return name[:cut], name[cut + 1 :]
    return None


def _readable(text: bytes, width: int) -> bytes:
    """A text that fits as it is; of any other, what readers without PAX get to see."""
    return text[:width] if text.isascii() else text.decode().encode("ascii", "replace")[:width]


class _Fields(NamedTuple):
    """What differs from header to header."""

    name: bytes
    mode: int
    size: int
    kind: bytes
    link: bytes = b""
    prefix: bytes = b""


def _block(fields: _Fields) -> bytes:
    name, mode, size, kind, link, prefix = fields
    numbers = b"%07o\0" % mode, b"%011o\0" % size
    checksum = _CONSTANT + sum(map(sum, (name, *numbers, kind, link, prefix)))
    block = b"".join(
        (
            name.ljust(_NAME, b"\0"),
            numbers[0],
            _OWNER,
            numbers[1],
            _TIME,
            b"%06o\0 " % checksum,
            kind,
            link.ljust(_LINK, b"\0"),
            _MAGIC,
            _NOBODY,
            prefix,
        )
    )
    return block.ljust(BLOCK, b"\0")


def _pax(records: dict[str, bytes]) -> bytes:
    data = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return _block(_Fields(_PAX_NAME, 0o644, len(data), b"x")) + data + padding(len(data))


def _record(key: str, value: bytes) -> bytes:
    """One record: its length in decimal, its own digits included, then key, value and a line end."""
    rest = b" %s=%s\n" % (key.encode(), value)
    size = len(rest) + 1
    while len(b"%d" % size) + len(rest) != size:
        size += 1
    return b"%d%s" % (size, rest)
