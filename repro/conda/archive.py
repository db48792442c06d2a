"""Opening a package archive, .conda or .tar.bz2: what it says of itself and its files, checked. Nothing is placed here.

Sources: CEP 35 (the .conda format), CEP 34 (contents of a package). Nothing is unpacked to named files.
"""

import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

from repro.conda.decompress import unpacked_bz2, unpacked_zstd
from repro.conda.paths import PackagePath, PathType, read_json, read_paths
from repro.conda.payload import AGAIN, Payload
from repro.conda.scripts import link_scripts
from repro.conda.tarball import Member, tar_members
from repro.errors import InfrastructureError, IntegrityError

_BLOCK = 1 << 18
_INFO = "info/"
_DOCUMENTS = ("index.json", "paths.json", "link.json", "package_metadata.json", "files", "has_prefix")
_LARGEST_DOCUMENT = 128 << 20
_LARGEST_INFO = 1 << 30
_FLOOR = 256 << 20
"""Bytes that any package may expand to …"""
_RATIO = 200
"""… and beyond that so many for each byte of the archive: real packages need less than 30, bombs thousands."""
_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, ValueError, OverflowError, EOFError)
_MAGIC = {b"PK\x03\x04": ".conda", b"BZh": ".tar.bz2"}


@dataclass(frozen=True)
class PackageArchive:
    """A package that was read and understood.

    Attributes:
        label: What to call it in messages: its file name.
        index: info/index.json.
        paths: What is to be linked, in the package's order.
        members: Its files, links and directories by path, `info/` left out.
        entry_points: Programs that a noarch Python package wants to have, `name = module:function`.
    """

    label: str
    index: Mapping[str, Any]
    paths: tuple[PackagePath, ...]
    members: Mapping[str, Member]
    entry_points: tuple[str, ...]

    @property
    def noarch(self) -> Literal["python", "generic"] | None:
        """Of which kind it is, where it is for any platform; old packages say `true` for the second."""
        kind = self.index.get("noarch")
        if kind == "python":
            return "python"
        return "generic" if kind else None

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        """Paths of the scripts that it wants to have run when it is linked."""
        return link_scripts(str(self.index.get("name")), (one.path for one in self.paths))


def open_archive(path: Path, label: str) -> PackageArchive:
    """Read a package whose digest was checked before. Its contents go to the user's cache until nobody uses them.

    Raises:
        IntegrityError: It is no package, damaged, contradicts itself, or holds what no package may.
        InfrastructureError: The disk refuses.
    """
    try:
        with path.open("rb") as stream:
            info, members = _read(path, stream, label)
    except OSError as error:
        raise InfrastructureError(f"can't read the package: {error.strerror}", where=f"{label} ({path})") from error
    index = read_json(_document(info, "index.json", label), f"{label}: info/index.json")
    paths = read_paths(info, lambda name: _kind(members, name), label)
    _check_paths(paths, members, label)
    return PackageArchive(label, index, paths, members, _entry_points(info, label))


def _read(path: Path, stream: BinaryIO, label: str) -> tuple[dict[str, bytes], dict[str, Member]]:
    """The documents below `info/`, and everything else."""
    start = stream.read(4)
    stream.seek(0)
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    size = path.stat().st_size
    if kind == ".conda":
        info, members = _read_zip(stream, size, label)
    elif kind == ".tar.bz2":
        payload = Payload()
        payload.fill(unpacked_bz2(_blocks(stream), _limit(size), label))
        info = members = tar_members(payload, label)
    else:
        raise IntegrityError("this is no conda package", where=label, fix=AGAIN)
    documents = {name: _content(info[_INFO + name]) for name in _DOCUMENTS if _INFO + name in info}
    return documents, {name: member for name, member in members.items() if not name.startswith(_INFO)}


def _read_zip(stream: BinaryIO, size: int, label: str) -> tuple[dict[str, Member], dict[str, Member]]:
    """The members of both tars inside of a .conda."""
    try:
        with zipfile.ZipFile(stream) as archive:
            metadata = read_json(archive.read("metadata.json"), f"{label}: metadata.json")
            version = metadata.get("conda_pkg_format_version")
            if version != 2:  # noqa: PLR2004 - the only one there is
                raise IntegrityError(f"version {version!r} of the .conda format isn't known, only 2", where=label)
            info = _unpacked(archive, "info-", _LARGEST_INFO, label)
            return info, _unpacked(archive, "pkg-", _limit(size), label)
    except KeyError as error:
        raise IntegrityError("there is no metadata.json in it", where=label, fix=AGAIN) from error
    except _BROKEN_ZIP as error:
        raise IntegrityError(f"not a readable zip: {error}", where=label, fix=AGAIN) from error


def _unpacked(archive: zipfile.ZipFile, start: str, limit: int, label: str) -> dict[str, Member]:
    found = [name for name in archive.namelist() if name.startswith(start) and name.endswith(".tar.zst")]
    if len(found) != 1:
        raise IntegrityError(f"there are {len(found)} files {start}*.tar.zst in it instead of one", where=label)
    payload = Payload()
    with archive.open(found[0]) as stream:
        payload.fill(unpacked_zstd(_blocks(stream), limit, label))
    return tar_members(payload, label)


def _blocks(stream: Any) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block


def _limit(size: int) -> int:
    return _FLOOR + _RATIO * size


def _document(info: Mapping[str, bytes], name: str, label: str) -> bytes:
    if name not in info:
        raise IntegrityError(f"there is no info/{name} in it", where=label, fix=AGAIN)
    return info[name]


def _content(member: Member) -> bytes:
    if member.body is None or member.body.size > _LARGEST_DOCUMENT:
        raise IntegrityError("no file that can be read", where=member.path)
    return b"".join(member.body.plain())


def _kind(members: Mapping[str, Member], path: str) -> PathType:
    kinds: dict[str, PathType] = {"symlink": "softlink", "directory": "directory"}
    return kinds.get(members[path].kind, "hardlink") if path in members else "hardlink"


def _check_paths(paths: tuple[PackagePath, ...], members: Mapping[str, Member], label: str) -> None:
    """Whether all that is to be linked is there, as what it is said to be, once. More may be there: nobody links it."""
    problems = []
    seen: set[str] = set()
    for one in paths:
        member = members.get(one.path)
        if one.path in seen:
            problems.append(f"{one.path} is listed twice")
        elif member is None and one.kind != "directory":
            problems.append(f"{one.path} is listed, but not in it")
        elif member is not None and (member.kind == "directory") != (one.kind == "directory"):
            problems.append(f"{one.path} is listed as a {one.kind}, and is a {member.kind}")
        seen.add(one.path)
    if problems:
        raise IntegrityError("the package contradicts itself", where=label, problems=problems, fix=AGAIN)


def _entry_points(info: Mapping[str, bytes], label: str) -> tuple[str, ...]:
    """Of a noarch Python package: info/link.json, in old ones info/package_metadata.json."""
    name = "link.json" if "link.json" in info else "package_metadata.json"
    if name not in info:
        return ()
    where = f"{label}: info/{name}"
    noarch = read_json(info[name], where).get("noarch")
    found = noarch.get("entry_points", []) if isinstance(noarch, dict) and noarch.get("type") == "python" else []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise IntegrityError("noarch.entry_points must be texts", where=where)
    return tuple(found)
