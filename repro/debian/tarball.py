"""The files of a package's data archive, one by one, and everything that is refused in them."""

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from repro.debian.ranges import RangeBody
from repro.digest import Digest
from repro.errors import IntegrityError

_BLOCK = 1 << 20
_WHITEOUT = ".wh."  # image-spec, layer.md, "Whiteouts": such a name would delete something of the base
_KINDS: dict[bytes, Literal["file", "directory", "symlink", "hardlink"]] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}


@dataclass(frozen=True, slots=True)
class TarFile:
    """One path that a package unpacks.

    Attributes:
        path: Relative to `/`, as the package spells it.
        kind: What it is.
        mode: Permission bits, set-id and sticky bits among them.
        target: Text of a symbolic link; path of a hard link's file.
        body: Content of a file, and of a hard link.
        md5: Digest of that content in hexadecimal, for comparison with the package's own list.
    """

    path: str
    kind: Literal["file", "directory", "symlink", "hardlink"]
    mode: int
    target: str = ""
    body: RangeBody | None = None
    md5: str = ""


def tar_files(archive: Path, where: str) -> Iterator[TarFile]:
    """Everything in a plain data archive but the root directory, in its order.

    Args:
        archive: The plain tar.
        where: The package, for messages.

    Raises:
        IntegrityError: The archive is damaged, or holds something that has no place in an image.
    """
    seen: dict[str, TarFile] = {}
    with archive.open("rb") as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as members:
                for member in members:
                    found = _checked(member, archive, stream, seen, where)
                    if found is not None:
                        seen[found.path] = found
                        yield found
        except (tarfile.TarError, ValueError, EOFError, OSError) as error:
            raise IntegrityError(f"its data archive is damaged: {error}", where=where) from error


def _checked(
    member: tarfile.TarInfo, archive: Path, stream: BinaryIO, seen: dict[str, TarFile], where: str
) -> TarFile | None:
    path = _path(member.name, where)
    kind = _kind(member, path, where)
    if not path:
        return None
    if path in seen:
        raise IntegrityError(f"/{path} is in the package twice", where=where)
    _check_parents(path, seen, where)
    mode = member.mode & 0o7777
    if kind == "symlink":
        return TarFile(path, kind, 0o777, _target(member.linkname, path, where))
    if kind == "directory":
        return TarFile(path, kind, mode)
    if kind == "hardlink":
        return _hard_link(member, path, seen, where)
    body, md5 = _body(member, archive, stream, f"/{path} of {where}")
    return TarFile(path, kind, mode, body=body, md5=md5)


def _path(name: str, where: str) -> str:
    """The name without `./`; empty for the root."""
    path = name.removeprefix("./").rstrip("/")
    if path in {"", "."}:
        return ""
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise IntegrityError(f"{name!r} leads out of the package", where=where)
    if any(part.startswith(_WHITEOUT) for part in parts):
        raise IntegrityError(f"{name!r} is the name of a whiteout, which deletes files of other layers", where=where)
    if not name.isprintable() and any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in name):  # noqa: PLR2004 - control characters, undecodable bytes
        raise IntegrityError(f"{name!r} is no name in UTF-8", where=where)
    return path


def _kind(member: tarfile.TarInfo, path: str, where: str) -> Literal["file", "directory", "symlink", "hardlink"]:
    kind = _KINDS.get(member.type)
    if kind is None or member.issparse():
        raise IntegrityError(f"/{path} is a device, a pipe or something else that no image needs", where=where)
    if member.pax_headers:
        raise IntegrityError(f"/{path} has extended attributes, which packages can't have", where=where)
    if (member.uid, member.gid) != (0, 0):
        raise IntegrityError(
            f"/{path} belongs to {member.uname or member.uid}:{member.gname or member.gid}, not to root: that can't be "
            "unpacked without dpkg",
            where=where,
            fix="Use a base image that has this package.",
        )
    return kind


def _check_parents(path: str, seen: dict[str, TarFile], where: str) -> None:
    parent = path.rpartition("/")[0]
    while parent:
        above = seen.get(parent)
        if above is not None and above.kind != "directory":
            raise IntegrityError(
                f"/{path} is below /{parent}, which is a {above.kind} of the same package", where=where
            )
        parent = parent.rpartition("/")[0]


def _target(text: str, path: str, where: str) -> str:
    """The link's text, unless it climbs above the root on its way."""
    if not text:
        raise IntegrityError(f"/{path} is a link to nothing", where=where)
    depth = 0 if text.startswith("/") else path.count("/")
    for part in text.split("/"):
        depth += -1 if part == ".." else part not in {"", "."}
        if depth < 0:
            raise IntegrityError(f"the link /{path} leads out of the image: {text!r}", where=where)
    return text


def _hard_link(member: tarfile.TarInfo, path: str, seen: dict[str, TarFile], where: str) -> TarFile:
    first = seen.get(_path(member.linkname, where))
    if first is None or first.body is None:
        raise IntegrityError(f"/{path} is a hard link to {member.linkname!r}, which is no file before it", where=where)
    return TarFile(path, "hardlink", first.mode, first.target or first.path, first.body, first.md5)


def _body(member: tarfile.TarInfo, archive: Path, stream: BinaryIO, label: str) -> tuple[RangeBody, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    before = stream.tell()
    stream.seek(member.offset_data)
    left = member.size
    while left:
        block = stream.read(min(_BLOCK, left))
        if not block:
            raise IntegrityError("the package is cut off in this file", where=label)
        sha256.update(block)
        md5.update(block)
        left -= len(block)
    stream.seek(before)
    return RangeBody(archive, member.offset_data, member.size, Digest(sha256.hexdigest()), label), md5.hexdigest()
