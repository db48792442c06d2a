"""What a layer's tar holds, read once from end to end, and what is wrong with it."""

import hashlib
import itertools
import tarfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from repro.digest import Digest

_BLOCK = 1 << 20
_MOST = 20
"""Faults of one kind that are worth telling one by one."""
_WHITEOUT = ".wh."
_SPECIAL_BITS = 0o7000
_STICKY = 0o1000
_KINDS = {
    tarfile.REGTYPE: "files",
    tarfile.AREGTYPE: "files",
    tarfile.CONTTYPE: "files",
    tarfile.GNUTYPE_SPARSE: "files",
    tarfile.DIRTYPE: "directories",
    tarfile.SYMTYPE: "symbolic links",
    tarfile.LNKTYPE: "hard links",
    tarfile.CHRTYPE: "devices",
    tarfile.BLKTYPE: "devices",
    tarfile.FIFOTYPE: "pipes",
}


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What was seen in a layer.

    Attributes:
        size: Bytes of the plain tar.
        kinds: How many there are of each: files, directories, symbolic links, hard links, devices, pipes, whiteouts.
        owners: How many entries belong to each `uid:gid`.
        mtimes: The earliest and the latest time of modification, seconds since 1970; None when there is no entry.
        privileged: Files with the set-user-ID or set-group-ID bit.
        xattrs: Entries with extended attributes.
        symlinks: Where symbolic links are.
        directories: Where directories are, or must be for what is below them.
        digests: Content of those files that were asked for.
        faults: What makes the tar unusable or ambiguous.
        remarks: What is legal but worth knowing.
    """

    size: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)
    mtimes: tuple[float, float] | None = None
    privileged: tuple[str, ...] = ()
    xattrs: int = 0
    symlinks: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    digests: Mapping[str, Digest] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def layer_facts(stream: BinaryIO, wanted: Collection[str]) -> LayerFacts:
    """Read a plain tar.

    Args:
        stream: The tar, read to its end, not closed.
        wanted: Paths of files whose content is to be hashed.

    Raises:
        IntegrityError: As the stream's reading does.
    """
    counted = _Counted(stream)
    seen = _Seen(wanted)
    try:
        with tarfile.open(fileobj=cast("BinaryIO", counted), mode="r|", tarinfo=_Strict) as archive:
            while (member := archive.next()) is not None:
                seen.add(archive, member)
                archive.members = []  # type: ignore[attr-defined] # it would remember all of them
            seen.end(archive)
    except tarfile.TarError as error:
        seen.faults.append(f"the tar is damaged after {counted.size} bytes: {error}")
    while counted.read(_BLOCK):
        pass
    return seen.facts(counted.size)


class _Strict(tarfile.TarInfo):
    """Where Python's tarfile would take a damaged header for the end of the archive, this is an error."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_Strict":
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


class _Counted:
    """A stream that knows how many bytes were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def read(self, count: int) -> bytes:
        block = self._stream.read(count)
        self.size += len(block)
        return block


class _Seen:
    """What is gathered on the way."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self._kinds: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._times: list[float] = []
        self._paths: dict[str, str] = {}
        self._parents: set[str] = set()
        self._targets: dict[str, str] = {}
        self._privileged: list[str] = []
        self._xattrs = 0
        self._digests: dict[str, Digest] = {}
        self._remarks: list[str] = []
        self.faults: list[str] = []

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """One entry."""
        path = _normal(member.name)
        self.faults += _name_faults(member)
        if path in self._paths:
            self.faults.append(f"twice in the layer: {path}")
        self._paths[path] = kind = _kind(path, member)
        self._kinds[kind] += 1
        self._owners[f"{member.uid}:{member.gid}"] += 1
        self._times = [min([member.mtime, *self._times]), max([member.mtime, *self._times])]
        self._parents.update(_parents(path))
        self._xattrs += any(key.startswith("SCHILY.xattr.") for key in member.pax_headers)
        if member.isreg() and member.mode & _SPECIAL_BITS & ~_STICKY:
            self._privileged.append(path)
        if member.islnk():
            self._targets[path] = _normal(member.linkname)
        if path in self._wanted and member.isreg():
            self._digests[path] = _hashed(archive, member)

    def end(self, archive: tarfile.TarFile) -> None:
        """What follows the last entry: zeros, and nothing else."""
        fileobj = cast("BinaryIO", archive.fileobj)
        while rest := fileobj.read(_BLOCK):
            if rest.strip(b"\0"):
                self.faults.append("there is something behind the end of the tar")
                break

    def facts(self, size: int) -> LayerFacts:
        """Everything, once all was seen."""
        files_above = [path for path in sorted(self._parents) if self._paths.get(path, "directories") != "directories"]
        below = [f"something is below what is no directory: {path}" for path in files_above]
        outside = sorted(target for target in self._targets.values() if target not in self._paths)
        links = [f"a hard link to what is not in this layer: {target}" for target in outside]
        return LayerFacts(
            size=size,
            kinds=dict(sorted(self._kinds.items())),
            owners=dict(sorted(self._owners.items())),
            mtimes=(self._times[0], self._times[1]) if self._times else None,
            privileged=tuple(sorted(self._privileged)),
            xattrs=self._xattrs,
            symlinks=frozenset(self._of("symbolic links")),
            directories=frozenset(self._parents).union(self._of("directories")),
            digests=self._digests,
            faults=tuple(_few([*self.faults, *below])),
            remarks=tuple(_few([*self._remarks, *links])),
        )

    def _of(self, kind: str) -> Iterator[str]:
        return (path for path, found in self._paths.items() if found == kind)


def _normal(name: str) -> str:
    """A path as it is in the image, relative to its root: what tars write as `./a/` is `a`."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def _parents(path: str) -> Iterator[str]:
    return itertools.islice(itertools.accumulate(path.split("/"), "{}/{}".format), path.count("/"))


def _name_faults(member: tarfile.TarInfo) -> Iterator[str]:
    name = member.name
    if name.startswith("/"):
        yield f"an absolute path: {name}"
    if ".." in name.split("/") or (member.islnk() and ".." in member.linkname.split("/")):
        yield f"a path that leaves the image: {name}"
    if not _normal(name) and not member.isdir():
        yield f"an entry without a name that is {_KINDS.get(member.type, 'of an unknown kind')}"
    if member.type not in _KINDS:
        yield f"an entry of an unknown kind {member.type!r}: {name}"


def _kind(path: str, member: tarfile.TarInfo) -> str:
    if path.rpartition("/")[2].startswith(_WHITEOUT):
        return "whiteouts"
    return _KINDS.get(member.type, "unknown")


def _hashed(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Digest:
    hasher, stream = hashlib.sha256(), archive.extractfile(member)
    while stream is not None and (block := stream.read(_BLOCK)):
        hasher.update(block)
    return Digest(hasher.hexdigest())


def _few(faults: list[str]) -> list[str]:
    rest = len(faults) - _MOST
    return [*faults[:_MOST], f"… and {rest} more like these"] if rest > 0 else faults
