"""What a difference says, as frozen values. Its file format is described in docs/formats/diff.md."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["code", "data", "packages", "python", "system", "environment", "machine", "metrics", "evidence"]
"""What a change belongs to, those first that move metrics most often; `evidence` never does."""

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things that are compared.

    Attributes:
        name: As the person named it.
        kind: What it is.
        digest: Its lock digest, `sha256:…`; for a working tree that of the lock which it is read by.
    """

    name: str
    kind: Literal["lock", "image", "tree"]
    digest: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        what: File, package, setting or fact.
        kind: Whether only the second side has it, only the first, or both.
        aspect: In which way, `[a-z-]+`, such as `version`, `build`, `content`, `comments` (docs/formats/diff.md).
        before: On the first side, for people; "" where that says nothing.
        after: On the second side.
        moves: Whether it can move a metric.
        note: A word or two on what it is, such as `direct` or `transitive` of a package.
        details: Lines that tell more: cells, columns of a table.
    """

    what: str
    kind: Kind
    aspect: str
    before: str = ""
    after: str = ""
    moves: bool = True
    note: str = ""
    details: tuple[str, ...] = ()


AS_PUBLISHED = "as published"
"""What is said of a package without edited files."""


def kind_of(was: object, now: object) -> Kind:
    """What became of something that the first side has, or doesn't, and the second."""
    return "changed" if was and now else "added" if now else "removed"


@dataclass(frozen=True, slots=True)
class Section:
    """Everything of one group.

    Attributes:
        group: Which.
        changes: Those that can move a metric first.
        unknown: What was not compared, one sentence each, with the reason.
    """

    group: Group
    changes: tuple[Change, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one side to the other.

    Attributes:
        before: The first side.
        after: The second side.
        sections: Groups with changes, or with something that was not compared, in the order of `Group`.
    """

    before: Side
    after: Side
    sections: tuple[Section, ...]

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs."""
        return not any(section.changes for section in self.sections)

    @property
    def moves(self) -> bool:
        """Whether anything differs that can move a metric."""
        return any(change.moves for section in self.sections for change in section.changes)
