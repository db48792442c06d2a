"""The dynamic loader's cache, /etc/ld.so.cache, in glibc's format 1.1 (dl-cache.h): parsed and written. No scanning."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.errors import IntegrityError

_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_MAGIC = b"ld.so-1.7.0\0"
_HEADER, _ENTRY, _SECTION = struct.Struct("<20sIIB3xI12x"), struct.Struct("<iIIIQ"), struct.Struct("<IIII")
_LITTLE_ENDIAN = 2
_EXTENSION = 0xEAA42174
_GENERATOR, _HWCAPS = 0, 1
_RUN = re.compile(r"[0-9]+|[^0-9]")

FLAGS: Mapping[str, int] = {"amd64": 0x0303, "arm64": 0x0A03}
"""How the cache marks a library of each architecture: FLAG_ELF_LIBC6 and the 64-bit ABI (ldconfig.h)."""


@dataclass(frozen=True, slots=True)
class Library:
    """One entry.

    Attributes:
        soname: What programs ask for.
        path: Absolute path of the file.
        flags: ABI.
        hwcap: Variant for certain processors; 0 for the ordinary one.
    """

    soname: str
    path: str
    flags: int
    hwcap: int = 0


@dataclass(frozen=True, slots=True)
class LoaderCache:
    """The whole file.

    Attributes:
        libraries: In the file's order, which is the order of preference among those of one name.
        hwcaps: Names of the variants that `hwcap` values point to.
        generator: Who wrote it.
    """

    libraries: tuple[Library, ...] = ()
    hwcaps: tuple[str, ...] = ()
    generator: bytes = b""


def parse_cache(data: bytes) -> LoaderCache:
    """Read a cache, also one that starts with the format before glibc 2.2. Raises IntegrityError when it is damaged."""
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError) as error:
        raise IntegrityError(f"the loader's cache is damaged: {error}", where="/etc/ld.so.cache of the base") from error


def render_cache(cache: LoaderCache, folders: Sequence[str]) -> bytes:
    """Write a cache, its entries sorted as ldconfig(8) does.

    Args:
        cache: What it holds.
        folders: Directories in the order in which ldconfig looks through them.
    """
    ranks = {folder: rank for rank, folder in enumerate(folders)}
    libraries = sorted(cache.libraries, key=lambda one: (one.hwcap == 0, ranks.get(_folder(one), len(ranks))))
    libraries.sort(key=lambda one: (_natural(one.soname), one.flags), reverse=True)
    texts = [text for one in libraries for text in (one.soname, one.path)]
    start = _HEADER.size + _ENTRY.size * len(libraries)
    places, strings = _string_table([text.encode() for text in (*texts, *cache.hwcaps)], start)
    entries = b"".join(
        _ENTRY.pack(one.flags, places[one.soname.encode()], places[one.path.encode()], 0, one.hwcap)
        for one in libraries
    )
    extension = b""
    padding = -(start + len(strings)) % 4
    if cache.generator or cache.hwcaps:
        extension = _extension(cache, places, start + len(strings) + padding)
    place = start + len(strings) + padding if extension else 0
    header = _HEADER.pack(_MAGIC, len(libraries), len(strings), _LITTLE_ENDIAN, place)
    return header + entries + strings + (b"\0" * padding + extension if extension else b"")


def _parse(data: bytes) -> LoaderCache:
    if data.startswith(_OLD_MAGIC):
        (count,) = struct.unpack_from("<I", data, len(_OLD_MAGIC))
        begin = len(_OLD_MAGIC) + 4 + 12 * count
        data = data[begin + -begin % 8 :]
    magic, count, _, flags, place = _HEADER.unpack_from(data)
    if magic != _MAGIC or flags & 3 not in {0, _LITTLE_ENDIAN}:
        msg = "its format is not known"
        raise ValueError(msg)
    libraries = []
    for number in range(count):
        kind, key, value, _, hwcap = _ENTRY.unpack_from(data, _HEADER.size + number * _ENTRY.size)
        libraries.append(Library(_string(data, key), _string(data, value), kind, hwcap))
    sections = _sections(data, place) if place else {}
    hwcaps = sections.get(_HWCAPS, b"")
    return LoaderCache(
        tuple(libraries),
        tuple(_string(data, offset) for (offset,) in struct.iter_unpack("<I", hwcaps)),
        sections.get(_GENERATOR, b""),
    )


def _sections(data: bytes, place: int) -> dict[int, bytes]:
    magic, count = struct.unpack_from("<II", data, place)
    if magic != _EXTENSION:
        msg = "its extensions are not known"
        raise ValueError(msg)
    found = {}
    for number in range(count):
        tag, _, offset, size = _SECTION.unpack_from(data, place + 8 + number * _SECTION.size)
        found[tag] = data[offset : offset + size]
    return found


def _extension(cache: LoaderCache, places: Mapping[bytes, int], place: int) -> bytes:
    count = 1 + bool(cache.hwcaps)
    first = place + 8 + count * _SECTION.size
    hwcaps = b"".join(struct.pack("<I", places[name.encode()]) for name in cache.hwcaps)
    table = struct.pack("<II", _EXTENSION, count)
    table += _SECTION.pack(_GENERATOR, 0, first + len(hwcaps), len(cache.generator))
    if hwcaps:
        table += _SECTION.pack(_HWCAPS, 0, first, len(hwcaps))
    return table + hwcaps + cache.generator


def _string_table(texts: Sequence[bytes], start: int) -> tuple[dict[bytes, int], bytes]:
    """Where each string is when those that end another share its bytes, longest first from the end (stringtable.c)."""
    places: dict[bytes, int] = {}
    table, last = bytearray(), b""
    for text in sorted(set(texts), key=lambda one: one[::-1], reverse=True):
        if not last.endswith(text):
            table += text + b"\0"
            last = text
        places[text] = start + len(table) - 1 - len(text)
    return places, bytes(table)


def _natural(name: str) -> tuple[tuple[int, int], ...]:
    """Digits compare as numbers and after everything else (_dl_cache_libcmp)."""
    return tuple((1, int(run)) if run.isdigit() else (0, ord(run)) for run in _RUN.findall(name))


def _folder(library: Library) -> str:
    return library.path.rpartition("/")[0]


def _string(data: bytes, place: int) -> str:
    return data[place : data.index(b"\0", place)].decode()
