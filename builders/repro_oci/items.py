"""Plan items → layer entries, each from locked bytes alone. Bytecode and Debian packages have modules of their own."""

import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.bodies import FileBody, Inline
from repro.oci.entry import Deflated, Entry
from repro.plan import (
    Compile,
    CondaLink,
    Content,
    Deb,
    Directory,
    InlineFile,
    Item,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
    layout,
)

_BLOCK = 1 << 20
_KINDS = {tarfile.DIRTYPE: "directory", tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.SYMTYPE: "symlink"}

Files = Mapping[Digest, Path]
"""Local files by digest, each already checked."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A `Body` that is part of a larger file, whose digest as a whole was checked before."""

    path: Path
    offset: int
    size: int
    label: str

    @property
    def sha256(self) -> Digest | None:
        """Not known for a part."""
        return None

    @property
    def deflated(self) -> Deflated | None:
        """There is none."""
        return None

    def plain(self) -> Iterator[bytes]:
        """The content in blocks. Raises IntegrityError when the file has become shorter."""
        left = self.size
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            while left > 0 and (block := stream.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
        if left:
            raise IntegrityError("the file changed while the image was being built", where=self.label)

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """There is no deflate stream, so nobody may ask."""
        raise IntegrityError("not a deflate stream", where=self.label)

    def compressed(self) -> Iterator[bytes]:
        """There is no deflate stream, so nobody may ask."""
        raise IntegrityError("not a deflate stream", where=self.label)


def item_entries(item: Item, files: Files, minor: str) -> list[Entry]:
    """What one item puts into its layer.

    Args:
        item: Any but `Deb` and `Compile`.
        files: Where the contents are.
        minor: `3.11`, of the image's Python.

    Raises:
        IntegrityError: A wheel, a conda package or a tar can't be what a well-meaning person made.
        UsageError: A conda package has a script, of which the lock doesn't say what happens with it.
    """
    match item:
        case Wheel():
            from repro_oci.wheels import wheel_entries  # noqa: PLC0415 - only where a wheel isn't in the cache

            path = files[item.file.sha256]
            place = (item.prefix, layout.ENVIRONMENT, minor)
            return wheel_entries(path, *place, requested=item.requested, name=item.file.name)
        case CondaLink(package, site_packages):
            from repro.conda.link import link_entries  # noqa: PLC0415 - only where a package isn't in the cache

            path, patched = files[package.sha256], {one.sha256: files[one.sha256] for one in package.patched}
            return link_entries(path, package, prefix=layout.ENVIRONMENT, site_packages=site_packages, patched=patched)
        case Unpack(content):
            return tar_entries(files[content.sha256], content)
        case _:
            return [_entry(item, files)]


def _entry(item: Item, files: Files) -> Entry:
    """What stands for one path."""
    match item:
        case ProjectFile(content, destination, mode):
            body = FileBody(files[content.sha256], content.size, content.sha256, content.label)
            return Entry(_relative(destination), "file", mode, body, origin=content.label)
        case InlineFile(data, destination, mode):
            return Entry(_relative(destination), "file", mode, Inline(data), origin="repro")
        case Directory(destination, mode):
            return Entry(_relative(destination), "directory", mode, origin="repro")
        case Link(destination, target):
            return Entry(_relative(destination), "symlink", 0o777, target=target, origin="repro")
        case _:
            raise TypeError(item)


def tar_entries(path: Path, content: Content) -> list[Entry]:
    """The members of a plain tar, read in place.

    Raises:
        IntegrityError: It is no tar, or holds something else than files, directories and symbolic links.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            return [_member(member, path, content) for member in archive]
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise IntegrityError(f"not a tar: {error}", where=content.label) from error


def _member(member: tarfile.TarInfo, path: Path, content: Content) -> Entry:
    kind = _KINDS.get(member.type)
    name = member.name.removeprefix("./").rstrip("/")
    if kind == "directory":
        return Entry(name, "directory", member.mode, origin=content.label)
    if kind == "symlink":
        return Entry(name, "symlink", 0o777, target=member.linkname, origin=content.label)
    if kind == "file":
        body = Slice(path, member.offset_data, member.size, f"{content.label}: {name}")
        return Entry(name, "file", member.mode, body, origin=content.label)
    raise IntegrityError(f"{name} is neither a file, a directory nor a symbolic link", where=content.label)


def _relative(path: PurePosixPath) -> str:
    return os.fspath(path).lstrip("/")


def contents(items: Iterable[Item]) -> set[Digest]:
    """Digests of the local files that the items need, what they compile included."""
    return {digest for item in items for digest in _content(item)}


def _content(item: Item) -> tuple[Digest, ...]:
    match item:
        case Wheel():
            return (item.file.sha256,)
        case ProjectFile(content) | Unpack(content):
            return (content.sha256,)
        case Deb(package):
            return (package.sha256,)
        case CondaLink(package):
            return (package.sha256, *(patch.sha256 for patch in package.patched))
        case Compile(source):
            return _content(source)
        case _:
            return ()
