"""What files of a project declare of its packages, and how that differs from what is installed. Values only."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet

ANY = (SpecifierSet(),)
"""Every version."""
PYTHON = "python"
"""The name under which files declare the interpreter itself."""

Kind = Literal["version", "build", "source", "missing", "undeclared", "indirect", "unreadable"]
Level = Literal["warning", "note"]
Variables = dict[str, str | AbstractSet[str]]
"""Values of the variables that markers ask for (PEP 508)."""


class Installed(Protocol):
    """A conda package that is there: by its record in conda-meta, or in a lock."""

    @property
    def name(self) -> str:
        """As conda has it."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...

    @property
    def build(self) -> str:
        """Its build string."""
        ...

    @property
    def depends(self) -> tuple[str, ...]:
        """Match specifications of what it needs."""
        ...


@dataclass(frozen=True, slots=True)
class CondaSpec:
    """What a file says of a conda package.

    Attributes:
        name: As conda has it, which is no Python project's name.
        version: The condition on its version, such as `==1.26.4`, `=1.26`, `>=1,<2`; "" for any.
        build: The build string, or a pattern with `*`; "" for any.
    """

    name: str
    version: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """One package in one file, for the laptop's platform and Python.

    Attributes:
        name: Normalised project name, or `PYTHON`.
        place: The file, relative to the project root.
        said: What it says of the version, as people would write it; "" when nothing.
        specifiers: Versions that it allows; one of them is enough.
        wanted: Whether an installation by this file has it: not so for extras, groups, constraints, and elsewhere.
        direct: Whether a person wrote it down, rather than a resolver.
        commit: The revision that a lock pins it to, or None.
        tree: The local directory that it is installed from as editable, or None.
        conda: What conda is to install; None for what pip and its kin install.
    """

    name: str
    place: str
    said: str = ""
    specifiers: tuple[SpecifierSet, ...] = ANY
    wanted: bool = True
    direct: bool = True
    commit: str | None = None
    tree: Path | None = None
    conda: CondaSpec | None = None

    def elsewhere(self) -> "Declared":
        """What is left of a declaration whose marker doesn't hold here: the name, which is declared after all."""
        return Declared(self.name, self.place, wanted=False, direct=self.direct)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between declared and installed.

    Attributes:
        kind: `version`, `build` and `source`: another one is installed; `missing`: none is; `undeclared`: the run
            imported what nothing declares; `indirect`: its own code imports what only another package brought;
            `unreadable`: a file.
        level: `warning` when the run may depend on it, else `note`.
        place: The file that declares it, or the files that don't, relative to the project root.
        package: Normalised project name, or "".
        what: What is there, one sentence without a full stop.
        cure: What to do, in the imperative.
        brief: What is there, for a list of several that `place` and `kind` introduce.
    """

    kind: Kind
    level: Level
    place: str
    package: str
    what: str
    cure: str
    brief: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}; {self.cure}"


@dataclass(frozen=True, slots=True)
class File:
    """A file to read.

    Attributes:
        root: Project root, absolute.
        path: The file, absolute.
        variables: What markers ask for, as it is on the laptop.
        prefix: The environment's root, which tells the name of one of pixi's.
        faults: Gathers what in it, or in a file that it includes, can't be read.
    """

    root: Path
    path: Path
    variables: Variables
    prefix: Path = Path()
    faults: list[Drift] = field(default_factory=list)

    def fault(self, what: str) -> None:
        """Note a part that can't be read; what the rest declares counts all the same."""
        cure = "correct it, since nothing was compared with that part"
        self.faults.append(Drift("unreadable", "warning", self.place, "", what, cure, brief=what))

    @property
    def python(self) -> str:
        """Exact version of the laptop's Python."""
        return str(self.variables["python_full_version"])

    @property
    def place(self) -> str:
        """The file, relative to the root."""
        return self.path.relative_to(self.root).as_posix() if self.path.is_relative_to(self.root) else self.path.name

    def applies(self, marker: object) -> bool:
        """Whether a marker holds on the laptop; one that can't be read, or that is none, does."""
        try:
            return not (isinstance(marker, str) and marker) or Marker(marker).evaluate(self.variables)
        except InvalidMarker:
            return True


Reader = Callable[[File], Iterator[Declared]]


def specifiers(text: str) -> tuple[SpecifierSet, ...]:
    """PEP 440 version specifiers as such; any version for what is none (`*`, another tool's form)."""
    try:
        return (SpecifierSet(text.strip()),)
    except InvalidSpecifier:
        return ANY
