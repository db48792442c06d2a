"""The members of a package's plain tars, and everything that is refused in them."""

import tarfile
from dataclasses import dataclass
from typing import Literal

from repro.conda.payload import Part, Payload
from repro.errors import IntegrityError

Kind = Literal["file", "directory", "symlink"]

_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
}
_OWNER_EXECUTES = 0o100


@dataclass(frozen=True, slots=True)
class Member:
    """One path of a package.

    Attributes:
        path: Relative, with slashes.
        kind: What it is.
        executable: Whether its owner may execute it.
        target: Text of a symbolic link.
        body: Content of a file.
        same_as: Path of the file that this one is a hard link to, or "".
    """

    path: str
    kind: Kind
    executable: bool = False
    target: str = ""
    body: Part | None = None
    same_as: str = ""


def tar_members(payload: Payload, where: str) -> dict[str, Member]:
    """Everything in a plain tar by its path, in its order.

    Raises:
        IntegrityError: The tar is damaged, or holds what has no place in an environment: devices, paths and links that
            lead out of it, a path twice.
    """
    found: dict[str, Member] = {}
    with payload.open() as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as archive:
                for item in archive:
                    member = _member(item, found, payload, where)
                    if member is not None:
                        found[member.path] = member
        except (tarfile.TarError, ValueError, EOFError, OverflowError, OSError) as error:
            raise IntegrityError(f"not a readable tar: {error}", where=where) from error
    return found


def _member(item: tarfile.TarInfo, found: dict[str, Member], payload: Payload, where: str) -> Member | None:
    path = clean_path(item.name, where)
    kind = _KINDS.get(item.type)
    if kind is None or item.issparse():
        raise IntegrityError(f"{path} is a device, a pipe or something else that no environment has", where=where)
    if not path or (kind == "directory" and path in found):
        return None
    if path in found:
        raise IntegrityError(f"{path} is in it twice", where=where)
    if kind != "file":
        return Member(path, kind, target=item.linkname)
    if item.islnk():
        return _hard_link(path, found.get(clean_path(item.linkname, where)), item.linkname, where)
    body = Part(payload, item.offset_data, item.size, None, f"{where}: {path}")
    if item.offset_data + item.size > payload.size:
        raise IntegrityError("it is cut off", where=body.label)
    return Member(path, kind, bool(item.mode & _OWNER_EXECUTES), body=body)


def _hard_link(path: str, first: Member | None, name: str, where: str) -> Member:
    if first is None or first.body is None:
        raise IntegrityError(f"{path} is a hard link to {name!r}, which is no file before it", where=where)
    return Member(path, "file", first.executable, body=first.body, same_as=first.same_as or first.path)


def clean_path(name: str, where: str) -> str:
    """The name without `./`; empty for the root. Raises IntegrityError when it leads out of the package."""
    path = name.removeprefix("./").rstrip("/")
    if path in {"", "."}:
        return ""
    if "\0" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise IntegrityError(f"{name!r} leads out of the package", where=where)
    return path
