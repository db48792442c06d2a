"""Layers of an image as directories of whoever runs this, without root. Where they are kept is `repro.oci.rootfs`.

Every layer becomes a tree of its own with a note of what it changes below it; trees become a root file system by hard
links, so that images share what they have in common. Owners, device files, and the set-user-ID and set-group-ID bits
are left out; whoever owns a tree may read and enter everything in it.
"""

import contextlib
import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from repro.errors import IntegrityError
from repro.oci.folders import Folder, Parts, possible, remove_in, split_path
from repro.oci.streams import drain

TREE = "tree"
_CHANGES = "changes.json"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_BLOCK = 1 << 20
_FILE_BITS, _FILE_OWNER = 0o777, 0o400
_FOLDER_BITS, _FOLDER_OWNER = 0o1777, 0o700
_NANOSECONDS = 10**9
_LATEST = 1 << 33


@dataclass(frozen=True, slots=True)
class Changes:
    """What a layer does to those below it, besides bringing its own files.

    Attributes:
        removed: Paths that are gone (whiteouts; image-spec, layer.md).
        emptied: Directories that hide what was in them (opaque whiteouts).
        directories: Mode and time of modification, in seconds, of directories that the layer describes.
    """

    removed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    directories: dict[str, tuple[int, int]] = field(default_factory=dict)


def unpack_layer(stream: BinaryIO, place: Path, where: str, pulse: Callable[[int], None] = lambda _: None) -> None:
    """Write a layer into an empty directory: its `tree`, and what `merge_layers` has to know.

    Args:
        stream: The plain tar, which checks itself (`open_plain`); it is read to its end, not closed.
        place: The directory.
        where: What it is, for messages.
        pulse: Called with the number of bytes of each entry; what it raises ends the work.

    Raises:
        IntegrityError: The tar is damaged, or an entry is refused: its name, or what it is.
    """
    tree = place / TREE
    tree.mkdir()
    changes = Changes()
    with Folder(tree) as folder, _open_tar(stream, where) as archive:
        unpacking = _Unpacking(folder, changes, archive)
        for member in archive:
            unpacking.add(member)
            pulse(member.size)
    drain(stream)
    noted = {"removed": changes.removed, "emptied": changes.emptied, "directories": changes.directories}
    (place / _CHANGES).write_text(json.dumps(noted), encoding="ascii")


@contextlib.contextmanager
def _open_tar(stream: BinaryIO, where: str) -> Iterator[tarfile.TarFile]:
    """A plain tar read once, front to back; its damages are IntegrityErrors."""
    try:
        with tarfile.open(
            fileobj=stream, mode="r|", bufsize=_BLOCK, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            yield archive
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise IntegrityError(f"not a readable tar archive: {error}", where=where) from error


@dataclass(slots=True)
class _Unpacking:
    """Entries of one layer on their way into its tree."""

    folder: Folder
    changes: Changes
    archive: tarfile.TarFile

    def add(self, member: tarfile.TarInfo) -> None:
        parts = split_path(member.name)
        if not parts:
            self._root(member)
        elif parts[-1].startswith(_WHITEOUT):
            self._whiteout(member, parts)
        elif member.isdir():
            self._directory(member, parts)
        else:
            self._other(member, parts)

    def _root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise IntegrityError("the root of an image must be a directory", where=member.name)
        self._describe("", member)

    def _describe(self, path: str, member: tarfile.TarInfo) -> None:
        self.changes.directories[path] = (member.mode & _FOLDER_BITS | _FOLDER_OWNER, _seconds(member))

    def _whiteout(self, member: tarfile.TarInfo, parts: Parts) -> None:
        name = parts[-1].removeprefix(_WHITEOUT)
        if parts[-1] == _OPAQUE:
            self.changes.emptied.append("/".join(parts[:-1]))
        elif parts[-1].startswith(_AUFS):
            return  # another file system's own notes (image-spec, layer.md: they don't belong to the image)
        elif name in {"", ".", ".."}:
            raise IntegrityError("a whiteout of nothing that could be there", where=member.name)
        else:
            self.changes.removed.append("/".join((*parts[:-1], name)))

    def _directory(self, member: tarfile.TarInfo, parts: Parts) -> None:
        parent = self.folder.make(parts[:-1])
        with possible(member.name):
            try:
                os.mkdir(parts[-1], 0o755, dir_fd=parent)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(parts[-1], dir_fd=parent, follow_symlinks=False).st_mode):
                    os.unlink(parts[-1], dir_fd=parent)
                    os.mkdir(parts[-1], 0o755, dir_fd=parent)
        self._describe("/".join(parts), member)

    def _other(self, member: tarfile.TarInfo, parts: Parts) -> None:
        if member.ischr() or member.isblk() or member.isfifo():
            return
        write = self._writer(member)
        parent = self.folder.make(parts[:-1])
        with possible(member.name):
            try:
                write(member, parts[-1], parent)
            except FileExistsError:  # the last of several entries for one path counts
                self.folder.remove(parts)
                write(member, parts[-1], self.folder.make(parts[:-1]))

    def _writer(self, member: tarfile.TarInfo) -> Callable[[tarfile.TarInfo, str, int], None]:
        if member.issym():
            return _symlink
        if member.islnk():
            return self._hard_link
        if member.isreg() and member.type in tarfile.SUPPORTED_TYPES:
            return self._file
        raise IntegrityError(f"an entry of a kind that images don't have: {member.type!r}", where=member.name)

    def _file(self, member: tarfile.TarInfo, name: str, parent: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            _fill(handle, self.archive, member)
            os.fchmod(handle, member.mode & _FILE_BITS | _FILE_OWNER)
            os.utime(handle, ns=(_seconds(member) * _NANOSECONDS,) * 2)
        finally:
            os.close(handle)

    def _hard_link(self, member: tarfile.TarInfo, name: str, parent: int) -> None:
        target = split_path(member.linkname)
        if not target:
            raise IntegrityError("a hard link to the root", where=member.name)
        kept = os.dup(parent)
        try:
            source = self.folder.make(target[:-1])
            os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=kept, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise IntegrityError(
                f"a hard link to what is no file of the same layer: {member.linkname}", where=member.name
            ) from error
        finally:
            os.close(kept)


def _seconds(member: tarfile.TarInfo) -> int:
    """When a file was modified; compiled Python modules name that time of their source."""
    return min(max(int(member.mtime), 0), _LATEST)


def _symlink(member: tarfile.TarInfo, name: str, parent: int) -> None:
    if not member.linkname:
        raise IntegrityError("a symbolic link to nothing", where=member.name)
    os.symlink(member.linkname, name, dir_fd=parent)


def _fill(handle: int, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    stream = archive.extractfile(member)
    if stream is None:
        return
    while block := stream.read(_BLOCK):
        view = memoryview(block)
        while view:
            view = view[os.write(handle, view) :]


def merge_layers(places: Iterable[Path], tree: Path) -> None:
    """Make one root file system, in an empty directory, of layers that `unpack_layer` has written, base first.

    Files are hard links: nobody may write to them, here or there. Raises IntegrityError for layers that don't fit on
    each other: one that goes through what is a symbolic link in those below it.
    """
    directories: dict[str, tuple[int, int]] = {}
    with Folder(tree) as folder:
        for place in places:
            changes = _read_changes(place)
            for path in changes.emptied:
                folder.empty(split_path(path))
            for path in changes.removed:
                folder.remove(split_path(path))
            with Folder(place / TREE) as layer:
                _graft(layer, folder, (), changes.directories)
            directories.update(changes.directories)
        _settle(folder, directories)


def _read_changes(place: Path) -> Changes:
    found: dict[str, Any] = json.loads((place / _CHANGES).read_bytes())
    directories = {path: (mode, seconds) for path, (mode, seconds) in found["directories"].items()}
    return Changes(found["removed"], found["emptied"], directories)


def _graft(layer: Folder, folder: Folder, parts: Parts, described: Mapping[str, object]) -> None:
    """Link the files of one directory of a layer into the tree, then those of the directories below it."""
    source = layer.find(parts)
    if source is None:
        raise FileNotFoundError("/".join(parts))
    if parts:
        _clear(folder, parts, described="/".join(parts) in described)
    target = folder.make(parts)
    with os.scandir(source) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    _link([name for name, is_dir in found if not is_dir], source, target)
    for name in [name for name, is_dir in found if is_dir]:
        _graft(layer, folder, (*parts, name), described)


def _clear(folder: Folder, parts: Parts, *, described: bool) -> None:
    """Remove what is no directory where a layer has one, if the layer says so itself and doesn't only go through it."""
    parent = folder.make(parts[:-1])
    try:
        found = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        return
    if not described:
        raise IntegrityError(
            "a layer has files below what is no directory in the layers under it", where="/".join(parts)
        )
    os.unlink(parts[-1], dir_fd=parent)


def _link(names: Sequence[str], source: int, target: int) -> None:
    for name in names:
        try:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except FileExistsError:
            remove_in(target, name)
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)


def _settle(folder: Folder, directories: Mapping[str, tuple[int, int]]) -> None:
    """Give directories their modes and times at last, those below first: writing into them changes the times."""
    for path in sorted(directories, reverse=True):
        mode, seconds = directories[path]
        try:
            handle = folder.find(split_path(path))
        except IntegrityError:  # replaced by something else in a later layer
            continue
        if handle is not None:
            os.chmod(handle, mode)  # noqa: PTH101 - a handle
            os.utime(handle, ns=(seconds * _NANOSECONDS,) * 2)
