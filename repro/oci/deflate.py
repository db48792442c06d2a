"""The frozen encoder: bytes to raw deflate (RFC 1951) and gzip members (RFC 1952), by arithmetic alone.

No compressor takes part, so no library's version can change a byte. What is worth real compression isn't encoded here.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache

try:
    from isal.isal_zlib import crc32
except ImportError:  # the same numbers, slower
    from zlib import crc32

__all__ = ["crc32", "encode", "member", "member_end", "member_start", "stored"]

STORED_MAX = 65535
"""Bytes of one stored block (RFC 1951, section 3.2.4)."""

_RUN = re.compile(rb"(\0{4,1032})")
"""Zeros worth a match. A longer run is several of these; a shorter one costs no less as a match."""
_SPILL = 1 << 15
"""Bits gathered in one integer before its whole bytes are put out; adding to a long integer takes time."""
_FIXED, _FIXED_BITS = 0b011, 3
"""Header of the one and last block: BFINAL 1, BTYPE 01 (section 3.2.3)."""
_END_BITS = 7
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Deflate, no flags, mtime 0, no extra flags, operating system unknown (RFC 1952, section 2.3)."""


def encode(data: bytes) -> bytes:
    """One complete raw deflate stream of `data`: a fixed-Huffman block, or stored blocks where these are shorter.

    The only matches are runs of zeros; ASCII without such runs stays as long as it is.
    """
    parts = _RUN.split(data)
    wide = 0 if data.isascii() else len(data.translate(None, _NARROW))
    if wide and _fixed_size(parts, wide) > _stored_size(len(data)):
        return b"".join(stored([data], len(data)))
    return _fixed(parts, _wide_literals if wide else _literals)


def stored(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """A complete raw deflate stream of stored blocks, in pieces; where `blocks` are cut doesn't change it.

    `size` is the sum of their lengths.
    """
    if not size:
        yield _stored_header(0, last=True)
    room = 0
    for block in blocks:
        position = 0
        while position < len(block):
            if not room:
                room = min(size, STORED_MAX)
                size -= room
                yield _stored_header(room, last=not size)
            piece = block[position : position + room]
            position += len(piece)
            room -= len(piece)
            yield piece


def member(data: bytes) -> bytes:
    """`data` as one gzip member."""
    return _GZIP + encode(data) + member_end(crc32(data), len(data))


def member_start() -> bytes:
    """What stands before the deflate stream in a gzip member: mtime 0, no name, operating system 255."""
    return _GZIP


def member_end(crc: int, size: int) -> bytes:
    """What stands after the deflate stream: CRC-32 and size of the content (RFC 1952, section 2.3.1)."""
    return struct.pack("<II", crc, size & 0xFFFFFFFF)


def _stored_header(size: int, *, last: bool) -> bytes:
    return struct.pack("<BHH", last, size, size ^ 0xFFFF)


def _stored_size(size: int) -> int:
    return size + 5 * max(1, -(-size // STORED_MAX))


def _fixed_size(parts: list[bytes], wide: int) -> int:
    bits = _FIXED_BITS + _END_BITS + 8 * sum(map(len, parts[::2])) + wide
    bits += sum(_run(len(run))[1] for run in parts[1::2])
    return (bits + 7) // 8


def _fixed(parts: list[bytes], encoded: Callable[[bytes], tuple[int, int]]) -> bytes:
    """A block of what are literals and runs by turns, literals first and last."""
    out = []
    value, bits = _FIXED, _FIXED_BITS
    for literals, run in zip(parts[::2], [*parts[1::2], b""], strict=True):
        more, width = encoded(literals)
        value |= more << bits
        bits += width
        more, width = _run(len(run))
        value |= more << bits
        bits += width
        if bits > _SPILL:
            out.append((value & ((1 << (bits & ~7)) - 1)).to_bytes(bits >> 3, "little"))
            value >>= bits & ~7
            bits &= 7
    bits += _END_BITS  # the end-of-block code is seven zeros
    out.append(value.to_bytes((bits + 7) >> 3, "little"))
    return b"".join(out)


def _literals(data: bytes) -> tuple[int, int]:
    """Literals below 144, which have eight bits each, as a number and its width in bits."""
    return int.from_bytes(data.translate(_CODES), "little"), 8 * len(data)


def _wide_literals(data: bytes) -> tuple[int, int]:
    """Any literals; those from 144 on have nine bits. Slow: meant for a few names that aren't ASCII."""
    bits = "".join(map(_BITS.__getitem__, data))
    return int(bits[::-1] or "0", 2), len(bits)


@cache
def _run(length: int) -> tuple[int, int]:
    """A run of zeros: the first as a literal, the others as matches at distance 1; nothing for no zeros."""
    if not length:
        return 0, 0
    value, bits, left = _CODES[0], 8, length - 1
    while left:
        part = min(left, _LONGEST)
        if 0 < left - part < _SHORTEST:  # what remains must be long enough for a match, too
            part -= _SHORTEST
        code, width = _match(part)
        value |= code << bits
        bits += width
        left -= part
    return value, bits


def _match(length: int) -> tuple[int, int]:
    """Length and distance 1, whose code is five zeros (RFC 1951, sections 3.2.5 and 3.2.6)."""
    symbol, extra, width = _length_symbol(length)
    if symbol < _LONG_SYMBOLS:
        code, bits = _reversed(symbol - 256, 7), 7
    else:
        code, bits = _reversed(0xC0 + symbol - _LONG_SYMBOLS, 8), 8
    return code | extra << bits, bits + width + 5


def _length_symbol(length: int) -> tuple[int, int, int]:
    """The symbol of a match's length, its extra bits and their number (the table of section 3.2.5)."""
    if length == _LONGEST:
        return 285, 0, 0
    offset = length - _SHORTEST
    width = max(0, offset.bit_length() - 3)
    return 257 + 4 * width + (offset >> width), offset & ((1 << width) - 1), width


def _reversed(code: int, width: int) -> int:
    """Huffman codes are packed from their most significant bit on (section 3.1.1)."""
    return int(f"{code:0{width}b}"[::-1], 2)


_SHORTEST, _LONGEST = 3, 258
"""Lengths of a match."""
_LONG_SYMBOLS = 280
"""From here on symbols have eight bits, before it seven."""
_WIDE = 144
"""From here on literals have nine bits, before it eight (section 3.2.6)."""
_NARROW = bytes(range(_WIDE))
_BITS = [f"{0x30 + byte:08b}" if byte < _WIDE else f"{0x190 + byte - _WIDE:09b}" for byte in range(256)]
_CODES = bytes(int(bits[::-1], 2) & 0xFF for bits in _BITS)
"""The codes of narrow literals as they lie in a byte; those of wide ones are never looked up here."""
