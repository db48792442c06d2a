"""What a watcher of files tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileEvents:
    """What happened to one file, in the order in which the system saw it.

    Attributes:
        opens_before: How often it was opened before it first changed (or at all).
        opens_after: How often it was opened after it first changed.
        read_before: A handle that couldn't write was closed before it first changed.
        changed: It was written, created, moved here or removed.
        replaced: … and the first change put another file in its place, or took it away.
    """

    opens_before: int = 0
    opens_after: int = 0
    read_before: bool = False
    changed: bool = False
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class WatchedFiles:
    """What a watcher saw.

    Attributes:
        files: POSIX path relative to the root → its events.
        complete: False when events were lost or parts of the project were not watched.
        warnings: Why not, for the author.
        outside: Absolute path of each file outside of the project, in the places that were watched → its events.
        links: Symbolic links of the project, relative to the root → the absolute path that they lead to.
        named: Files of the project, relative to the root, that the sources name, where the system tells nothing.
    """

    files: Mapping[str, FileEvents] = field(default_factory=dict)
    complete: bool = True
    warnings: tuple[str, ...] = ()
    outside: Mapping[str, FileEvents] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()


@dataclass(slots=True)
class Record:
    """Mutable counterpart of FileEvents."""

    opens_before: int = 0
    opens_after: int = 0
    read_before: bool = False
    changed: bool = False
    replaced: bool = False

    def opened(self) -> None:
        """It was opened, for whatever."""
        if self.changed:
            self.opens_after += 1
        else:
            self.opens_before += 1

    def closed_unwritten(self) -> None:
        """A handle that couldn't write was closed."""
        self.read_before = self.read_before or not self.changed

    def change(self, *, replaced: bool) -> None:
        """It changed; only the first change counts."""
        if not self.changed:
            self.changed, self.replaced = True, replaced

    def frozen(self) -> FileEvents:
        """The value."""
        return FileEvents(self.opens_before, self.opens_after, self.read_before, self.changed, self.replaced)
