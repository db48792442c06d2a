"""A layer as it comes to be above a base: what is put where, and what may not be replaced."""

from collections.abc import Iterator
from dataclasses import replace

from repro.debian.base import BaseView, Kind, resolve
from repro.errors import CaptureError
from repro.oci.bodies import Inline
from repro.oci.entry import Entry


class Tree:
    """The base with new entries above it. Paths go where the links of both lead.

    Attributes:
        base: What is below.
        entries: What is new, by the path at which it really is.
        links: Text of every symbolic link, the base's and the new ones.
    """

    def __init__(self, base: BaseView) -> None:
        self.base = base
        self.entries: dict[str, Entry] = {}
        self.links = dict(base.links)
        self._parents: set[str] = set()

    def kind(self, path: str) -> Kind | None:
        """What is at a path as it is, nothing followed; hard links are files."""
        entry = self.entries.get(path)
        if entry is None:
            return "directory" if path in self._parents else self.base.kind(path)
        return "file" if entry.kind == "hardlink" else entry.kind

    def find(self, path: str) -> str | None:
        """Where a path leads to, links followed; None when nothing is there."""
        place = resolve(path, self.links)
        return place if self.kind(place) else None

    def read(self, path: str) -> bytes | None:
        """Content of a small file, links followed: a new one, or one that the base has and `is_wanted` names."""
        place = resolve(path, self.links)
        entry = self.entries.get(place)
        if entry is None:
            return self.base.files.get(place)
        return None if entry.body is None else b"".join(entry.body.plain())

    def names(self, folder: str) -> list[str]:
        """Names in a directory, of the base and new, sorted."""
        place = resolve(folder, self.links)
        new = (path.rpartition("/") for path in self.entries)
        return sorted({*self.base.names(place), *(name for parent, _, name in new if parent == place)})

    def below(self, folder: str) -> Iterator[Entry]:
        """New entries anywhere below a directory."""
        start = resolve(folder, self.links) + "/"
        return (entry for path, entry in self.entries.items() if path.startswith(start))

    def add(self, entry: Entry) -> None:
        """Put something in, as dpkg does (policy 6.6): directories stay, and links to directories stay too.

        Raises CaptureError when it would replace what the base or another package brought.
        """
        path = resolve(entry.path, self.links, last=False)
        there = self.find(path)
        if entry.kind == "directory" and there is not None and self.kind(there) == "directory":
            return
        kind = self.kind(path)
        if kind is None:
            self._put(path, entry)
        elif not self._is_kept(path, kind, entry):
            raise CaptureError(
                f"{entry.origin} would replace /{path}, which {self._owner(path)} has",
                where=entry.origin,
                fix="Use a base image that has this package already, or leave it out of system.apt.",
            )

    def replace(self, entry: Entry) -> None:
        """Put in what belongs to the system as a whole, whatever is there."""
        self._put(resolve(entry.path, self.links, last=False), entry)

    def write(self, path: str, data: bytes, origin: str) -> None:
        """`replace` for a small file, mode 0644."""
        self.replace(Entry(path, "file", 0o644, Inline(data), origin=origin))

    def link(self, path: str, target: str, origin: str) -> None:
        """`replace` for a symbolic link."""
        self.replace(Entry(path, "symlink", 0o777, target=target, origin=origin))

    def _put(self, path: str, entry: Entry) -> None:
        target = resolve(entry.target, self.links, last=False) if entry.kind == "hardlink" else entry.target
        self.entries[path] = replace(entry, path=path, target=target)
        parts = path.split("/")
        self._parents.update("/".join(parts[:end]) for end in range(1, len(parts)))
        if entry.kind == "symlink":
            self.links[path] = entry.target
        else:
            self.links.pop(path, None)

    def _is_kept(self, path: str, kind: Kind, entry: Entry) -> bool:
        """Whether what is there already serves: the same link, or a directory where a link should go."""
        if entry.kind != "symlink":
            return False
        return kind == "directory" or (kind == "symlink" and self.links.get(path) == entry.target)

    def _owner(self, path: str) -> str:
        entry = self.entries.get(path)
        return "the base image" if entry is None else entry.origin
