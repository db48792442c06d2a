"""The outer form of a .deb: an ar archive of three members (deb(5)). Their content is read elsewhere."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from repro.errors import IntegrityError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_NUMBER = re.compile(rb"[0-9]+ *")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the archive: its name, and where in the file its content is."""

    name: str
    offset: int
    size: int


def deb_members(path: Path, where: str) -> tuple[Member, Member]:
    """The control and the data archive inside a .deb.

    Raises IntegrityError when it is no version 2 .deb, or is cut off, or holds something else.
    """
    with path.open("rb") as stream:
        found = _members(stream, where)
        names = [member.name.partition(".tar")[0] for member in found]
        if names != ["debian-binary", "control", "data"]:
            raise IntegrityError(f"not a Debian package: it holds {', '.join(names) or 'nothing'}", where=where)
        stream.seek(found[0].offset)
        version = stream.read(min(found[0].size, 16))
        if not version.startswith(b"2."):
            raise IntegrityError(f"a Debian package of format {version!r} is not known", where=where)
    return found[1], found[2]


def _members(stream: BinaryIO, where: str) -> list[Member]:
    """All members but those that begin with an underscore, which deb(5) has readers ignore."""
    end = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise IntegrityError("not a Debian package: it is no ar archive", where=where)
    found, place = [], len(_MAGIC)
    while place < end:
        stream.seek(place)
        header = stream.read(_HEADER)
        if len(header) < _HEADER or header[58:] != b"`\n" or not _NUMBER.fullmatch(header[48:58]):
            raise IntegrityError("the package's archive is damaged", where=where)
        name = header[:16].decode("ascii", "replace").rstrip().removesuffix("/")
        member = Member(name, place + _HEADER, int(header[48:58]))
        place = member.offset + member.size + member.size % 2
        if member.offset + member.size > end:
            raise IntegrityError(f"the package is cut off in {name}", where=where)
        if not name.startswith("_"):
            found.append(member)
    return found
