"""What the dynamic loader reads of an ELF file (gABI), from a stream that is best read forwards. No section headers."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from repro.errors import IntegrityError

_MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29
_LIMIT = 16 << 20  # of a dynamic section or its strings; the largest known are below 4 MiB
_MACHINES = {"amd64": (64, 62), "arm64": (64, 183)}
"""Class and e_machine (EM_X86_64, EM_AARCH64) of our architectures."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The dynamic section of a program or library.

    Attributes:
        bits: 32 or 64.
        machine: e_machine.
        soname: DT_SONAME, or empty.
        needed: DT_NEEDED entries in order.
        folders: DT_RUNPATH's directories, or DT_RPATH's when it has none; `$ORIGIN` not expanded.
    """

    bits: int
    machine: int
    soname: str
    needed: tuple[str, ...]
    folders: tuple[str, ...]

    def runs_on(self, architecture: str) -> bool:
        """Whether it is for that architecture (Debian's name)."""
        return _MACHINES.get(architecture) == (self.bits, self.machine)


def read_dynamic(stream: BinaryIO, where: str) -> Dynamic | None:
    """The dynamic section; None for what is no ELF file or has none. Reads forwards, but for the string table.

    Raises IntegrityError when it is an ELF file and can't be read.
    """
    start = stream.read(64)
    if start[:4] != _MAGIC:
        return None
    try:
        return _read(stream, start)
    except (struct.error, IndexError, ValueError) as error:
        raise IntegrityError(f"not a readable ELF file: {error}", where=where) from error


def _read(stream: BinaryIO, start: bytes) -> Dynamic | None:
    order = ">" if start[5] == 2 else "<"  # noqa: PLR2004 - ELFDATA2MSB
    bits = 64 if start[4] == 2 else 32  # noqa: PLR2004 - ELFCLASS64
    (machine,) = struct.unpack_from(f"{order}H", start, 18)
    if bits == 64:  # noqa: PLR2004 - as above
        (table,) = struct.unpack_from(f"{order}Q", start, 32)
        size, count = struct.unpack_from(f"{order}HH", start, 54)
    else:
        (table,) = struct.unpack_from(f"{order}I", start, 28)
        size, count = struct.unpack_from(f"{order}HH", start, 42)
    segments = _segments(_part(stream, table, size * count), size, order, bits)
    dynamic = next((place for kind, place in segments if kind == _DYNAMIC), None)
    if dynamic is None:
        return None
    tags = _tags(_part(stream, dynamic[0], dynamic[2]), order, bits)
    values = dict(reversed(tags))
    loads = [place for kind, place in segments if kind == _LOAD]
    strings = _part(stream, _offset(loads, values.get(_STRTAB, 0)), values.get(_STRSZ, 0))
    folders = values.get(_RUNPATH, values.get(_RPATH))
    return Dynamic(
        bits=bits,
        machine=machine,
        soname=_string(strings, values[_SONAME]) if _SONAME in values else "",
        needed=tuple(_string(strings, value) for tag, value in tags if tag == _NEEDED),
        folders=() if folders is None else tuple(filter(None, _string(strings, folders).split(":"))),
    )


def _segments(table: bytes, size: int, order: str, bits: int) -> list[tuple[int, tuple[int, int, int]]]:
    """Kind, and file offset, address and size in the file, of each program header."""
    found = []
    for place in range(0, len(table) - size + 1, size or 1):
        if bits == 64:  # noqa: PLR2004 - of a class
            kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", table, place)
        else:
            kind, offset, address, _, length = struct.unpack_from(f"{order}IIIII", table, place)
        found.append((kind, (offset, address, length)))
    return found


def _tags(section: bytes, order: str, bits: int) -> list[tuple[int, int]]:
    form = f"{order}qQ" if bits == 64 else f"{order}iI"  # noqa: PLR2004 - of a class
    whole = len(section) - len(section) % struct.calcsize(form)
    found = []
    for tag, value in struct.iter_unpack(form, section[:whole]):
        if tag == 0:
            break
        found.append((tag, value))
    return found


def _offset(loads: list[tuple[int, int, int]], address: int) -> int:
    for offset, start, length in loads:
        if start <= address < start + length:
            return offset + address - start
    msg = f"no segment holds the address {address:#x}"
    raise IndexError(msg)


def _part(stream: BinaryIO, offset: int, size: int) -> bytes:
    if size > _LIMIT:
        msg = f"a table of {size} bytes"
        raise IndexError(msg)
    stream.seek(offset)
    data = stream.read(size)
    if len(data) < size:
        msg = "it is cut off"
        raise IndexError(msg)
    return data


def _string(strings: bytes, place: int) -> str:
    end = strings.index(b"\0", place) if 0 <= place < len(strings) else -1
    if end < 0:
        msg = f"no string at {place}"
        raise IndexError(msg)
    return strings[place:end].decode()
