"""What is in a base image: its paths, and the few files that decide how more is put on top of it."""

import contextlib
import hashlib
import json
import posixpath
import tarfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from repro.debian.base import WANTED, is_wanted
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.files import atomic_write
from repro.oci.image import Image
from repro.oci.sources import prefetch
from repro.oci.streams import drain, open_plain

_FORMAT = "facts-2"
_NAMED = frozenset(pattern for pattern in WANTED if "*" not in pattern)
_USUAL = 0o755
_MOST_BYTES = 64 << 20
_MOST_LINKS = 16
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


class PathFact(NamedTuple):
    """One path of an image.

    Attributes:
        kind: "file" is anything that is neither of the others.
        target: Text of a symbolic link.
        mode: Permission bits of a directory.
    """

    kind: Literal["directory", "file", "symlink"]
    target: str = ""
    mode: int = _USUAL


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """An image's file system as far as we need it. Paths are POSIX, relative to `/`.

    Attributes:
        paths: Every path but `/` itself.
        files: Contents: dpkg's and apt's databases, the dynamic linker's cache and configuration, os-release. The
            content of what a link leads to is under the link's path, too, where it is one of these.
    """

    paths: Mapping[str, PathFact]
    files: Mapping[str, bytes]


def base_facts(image: Image, cache: Path) -> BaseFacts:
    """Read the layers of an image once and remember what was found.

    Args:
        image: The image.
        cache: Directory of the user's cache.

    Raises:
        IntegrityError: A layer is damaged, or is no file system.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    path = cache / _FORMAT / Digest.of(image.config).hex
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return _load(path.read_bytes())
    found = _read(image)
    atomic_write(path, _dump(found))
    return found


def _dump(facts: BaseFacts) -> bytes:
    """One line with the digest of the rest, which is JSON: quick to read, and known when it is damaged."""
    of_kind: dict[str, list[str]] = {"directory": [], "file": [], "symlink": []}
    for path, fact in facts.paths.items():
        of_kind[fact.kind].append(path)
    document = {
        **{kind: "\0".join(paths) for kind, paths in of_kind.items()},
        "targets": "\0".join(facts.paths[path].target for path in of_kind["symlink"]),
        "modes": {path: fact.mode for path, fact in facts.paths.items() if fact.mode != _USUAL},
        "contents": {path: b64encode(data).decode() for path, data in facts.files.items()},
    }
    body = json.dumps(document).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _load(data: bytes) -> BaseFacts:
    """Raises ValueError, KeyError or TypeError for what isn't ours."""
    stated, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != stated:
        raise ValueError("damaged")
    document: dict[str, Any] = json.loads(body)
    paths = dict.fromkeys(_split(document["directory"]), PathFact("directory"))
    paths.update(dict.fromkeys(_split(document["file"]), PathFact("file")))
    links = zip(_split(document["symlink"]), document["targets"].split("\0"), strict=False)
    paths.update((path, PathFact("symlink", target)) for path, target in links)
    paths.update((path, PathFact("directory", mode=mode)) for path, mode in document["modes"].items())
    return BaseFacts(paths, {path: b64decode(text) for path, text in document["contents"].items()})


def _split(text: str) -> list[str]:
    return text.split("\0") if text else []


def _read(image: Image) -> BaseFacts:
    prefetch(image)
    tree = _Tree()
    for number in range(len(image.layers)):
        with open_plain(image, number) as stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8") as archive:
                    tree.add(_members(archive))
            except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
                raise IntegrityError(
                    f"a layer of the base is no tar archive: {error}", where=str(image.layers[number].digest)
                ) from error
            drain(stream)
    return BaseFacts(tree.paths, tree.contents())


def _members(archive: tarfile.TarFile) -> Iterator["_Member"]:
    left = _MOST_BYTES
    for info in archive:
        path = posixpath.normpath("/" + info.name).lstrip("/")
        data = None
        if info.isreg() and is_wanted(path):
            left -= info.size
            if left < 0:
                raise IntegrityError(f"more than {_MOST_BYTES >> 20} MiB of package databases in a layer", where=path)
            content = archive.extractfile(info)
            data = content.read() if content else b""
        if path:
            yield _Member(path, info, data)


class _Member(NamedTuple):
    path: str
    info: tarfile.TarInfo
    data: bytes | None


@dataclass(frozen=True, slots=True)
class _Tree:
    """The file system so far (image-spec, layer.md: applying changesets)."""

    paths: dict[str, PathFact] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)

    def add(self, layer: Iterable[_Member]) -> None:
        """Apply a layer: what it removes is what lower layers brought, whatever the order of its entries."""
        lower = frozenset(self.paths)
        own: set[str] = set()
        for member in layer:
            folder, name = posixpath.split(self._through_links(member.path))
            path = posixpath.join(folder, name)
            if name == _OPAQUE:
                self._remove_below(folder, lower - own)
            elif name.startswith(_WHITEOUT):
                self._remove(posixpath.join(folder, name.removeprefix(_WHITEOUT)), lower - own)
            else:
                own.update(self._put(path, member))

    def contents(self) -> dict[str, bytes]:
        """Contents by path, also by the paths of links to them."""
        found = dict(self.data)
        for path in _NAMED - self.data.keys():
            target = self._resolved(path)
            if target in self.data:
                found[path] = self.data[target]
        return found

    def _put(self, path: str, member: _Member) -> Iterator[str]:
        for parent in _parents(path):
            if self.paths.get(parent, _ABSENT).kind != "directory":
                self.paths[parent] = PathFact("directory")
            yield parent
        fact = self._fact(member.info)
        if fact.kind != "directory" and self.paths.get(path, _ABSENT).kind == "directory":
            self._remove_below(path, frozenset(self.paths))
        self.paths[path] = fact
        self.data.pop(path, None)
        data = self.data.get(_clean(member.info.linkname)) if member.info.islnk() else member.data
        if data is not None:
            self.data[path] = data
        yield path

    def _fact(self, info: tarfile.TarInfo) -> PathFact:
        if info.isdir():
            return PathFact("directory", mode=info.mode & 0o7777)
        if info.issym():
            return PathFact("symlink", info.linkname)
        return self.paths.get(_clean(info.linkname), _FILE) if info.islnk() else _FILE

    def _through_links(self, path: str) -> str:
        """The path with its parents' links resolved: a layer may say `lib/x` where the base has `lib -> usr/lib`."""
        folder, name = posixpath.split(path)
        return posixpath.join(self._resolved(folder), name)

    def _resolved(self, path: str) -> str:
        for _ in range(_MOST_LINKS):
            link = next((p for p in (*_parents(path), path) if self.paths.get(p, _ABSENT).kind == "symlink"), None)
            if link is None:
                return path
            target = posixpath.join("/", posixpath.dirname(link), self.paths[link].target, path[len(link) + 1 :])
            path = _clean(target)
        return path

    def _remove(self, path: str, removable: frozenset[str] | set[str]) -> None:
        self._remove_below(path, removable)
        if path in removable:
            self.paths.pop(path, None)
            self.data.pop(path, None)

    def _remove_below(self, folder: str, removable: frozenset[str] | set[str]) -> None:
        start = f"{folder}/" if folder else ""
        for path in [path for path in removable if path.startswith(start)]:
            self.paths.pop(path, None)
            self.data.pop(path, None)


_FILE = PathFact("file")
_ABSENT = PathFact("file")


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
