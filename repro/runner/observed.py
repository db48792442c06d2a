"""What a run was observed to depend on besides files: variables, generators, folders, network, processes.

Facts by place and cell for those who judge them; the judgement is elsewhere. Volatile: never part of a lock.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Callable

from .cells import Span
from .trace import trace_lines

SCHEMA = "repro.observed/1"
FILE = "observed.json"
_MOST_NAMES = 500
_MOST_FOLDERS = 100


@dataclass(frozen=True)
class Place:
    """Where something happened.

    Attributes:
        cell: Number of the code cell that ran then, from 1; None for scripts, and outside of cells.
        file: Project-relative path of the code; "" for a cell's own; absolute elsewhere.
        line: In that file or cell, from 1; 0 where it is not known.
        owner: Whose code it is: "cell", "project", "library", or "" where that is not known.
    """

    cell: int | None = None
    file: str = ""
    line: int = 0
    owner: str = ""


@dataclass(frozen=True)
class VariableRead:
    """An environment variable that Python code asked for by its name.

    Attributes:
        name: Its name; values are never kept.
        present: Whether it was set then.
        place: The code that asked: a library often asks for variables that nobody sets.
    """

    name: str
    present: bool
    place: Place


@dataclass(frozen=True)
class GeneratorFact:
    """Something about random numbers.

    Attributes:
        generator: "random", "numpy.random" or "torch" for process-wide ones; "random.Random", "random.SystemRandom",
            and "numpy.random" for entropy.
        fixed: Whether the seed is one that the code gave; False for entropy of the system.
        place: The nearest code that is no library; of a draw, only the cell is known.
    """

    generator: str
    fixed: bool
    place: Place


@dataclass(frozen=True)
class Happened:
    """An address that was looked up or connected to, or a command line that was started, when it first was."""

    what: str
    cell: int | None


@dataclass(frozen=True)
class Listing:
    """A folder of the project whose entries Python listed.

    Attributes:
        folder: Relative to the project root; "" for the root itself.
        names: What was in it at the end of the run, in the order in which the system gives them, at most 500.
        cell: When it was first listed.
    """

    folder: str
    names: tuple[str, ...]
    cell: int | None


@dataclass(frozen=True)
class Observed:
    """The facts of one run, each in the order in which they were first seen.

    Attributes:
        variables: Variables read.
        seeds: Process-wide generators seeded, whether with a given value (`fixed`) or with entropy.
        draws: Process-wide generators that moved during a cell (or a script), and whether their last seed was fixed.
        entropy: Generators made without a seed, or entropy asked for, by code of cells and project or on its behalf.
        network: `host:port` looked up or connected to by Python.
        processes: Command lines started by Python.
        listings: Folders of the project that Python listed; the root also where only an import looked into it.
    """

    variables: tuple[VariableRead, ...] = ()
    seeds: tuple[GeneratorFact, ...] = ()
    draws: tuple[GeneratorFact, ...] = ()
    entropy: tuple[GeneratorFact, ...] = ()
    network: tuple[Happened, ...] = ()
    processes: tuple[Happened, ...] = ()
    listings: tuple[Listing, ...] = ()

    def missing_variables(self, given: Iterable[str]) -> tuple[VariableRead, ...]:
        """Those that were set, that code of cells or the project asked for, and that are not in `given`."""
        known = set(given)
        return tuple(
            one for one in self.variables if one.present and one.place.owner != "library" and one.name not in known
        )

    def unseeded(self) -> tuple[GeneratorFact, ...]:
        """What gives other numbers with every run: draws after no fixed seed, and generators without one."""
        return tuple(one for one in (*self.draws, *self.entropy) if not one.fixed)

    def to_json(self) -> bytes:
        """The facts as JSON, sorted keys."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, sort_keys=True).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Observed:
        """Read what `to_json` wrote. Raises ValueError for another schema or shape."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
            msg = f"not a {SCHEMA} document"
            raise ValueError(msg)
        try:
            read: dict[str, Any] = {name: tuple(map(_READERS[name], facts)) for name, facts in data.items()}
            return cls(**read)
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"not a {SCHEMA} document: {error}"
            raise ValueError(msg) from error


def load_observed(directory: Path) -> Observed:
    """Read what a run left in its directory. Raises OSError, and ValueError when it is something else."""
    return Observed.from_json((directory / FILE).read_bytes())


def _place(data: Mapping[str, Any]) -> Place:
    return Place(_cell(data), str(data["file"]), int(data["line"]), str(data["owner"]))


def _read_variable(data: Mapping[str, Any]) -> VariableRead:
    return VariableRead(str(data["name"]), bool(data["present"]), _place(data["place"]))


def _read_generator(data: Mapping[str, Any]) -> GeneratorFact:
    return GeneratorFact(str(data["generator"]), bool(data["fixed"]), _place(data["place"]))


def _read_happened(data: Mapping[str, Any]) -> Happened:
    return Happened(str(data["what"]), _cell(data))


def _read_listing(data: Mapping[str, Any]) -> Listing:
    return Listing(str(data["folder"]), tuple(str(name) for name in data["names"]), _cell(data))


def _cell(data: Mapping[str, Any]) -> int | None:
    return None if data["cell"] is None else int(data["cell"])


_READERS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "variables": _read_variable,
    **dict.fromkeys(("seeds", "draws", "entropy"), _read_generator),
    **dict.fromkeys(("network", "processes"), _read_happened),
    "listings": _read_listing,
}
assert _READERS.keys() == {field.name for field in fields(Observed)}  # noqa: S101 - a fact without a reader


def observe(trace: Path, spans: Iterable[Span], root: Path) -> Observed:
    """Gather the facts of all processes of a run.

    Args:
        trace: The folder of the runner's trace.
        spans: When each cell ran.
        root: Project root, absolute, links resolved.
    """
    reader = _Reader(tuple(spans), os.path.realpath(root))
    lines = trace_lines(trace, _KINDS)

    def happened(kind: str) -> tuple[Happened, ...]:
        first: dict[str, Happened] = {}
        for line in _of(lines, kind):
            first.setdefault(line["p"], reader.happened(line))
        return tuple(first.values())

    def facts(kind: str) -> tuple[GeneratorFact, ...]:
        return tuple(dict.fromkeys(one for line in _of(lines, kind) for one in reader.generators(line)))

    return Observed(
        variables=tuple(dict.fromkeys(one for line in _of(lines, "variable") for one in reader.variables(line))),
        seeds=facts("seed"),
        draws=facts("draw"),
        entropy=facts("entropy"),
        network=happened("network"),
        processes=happened("process"),
        listings=tuple(reader.listings(happened("list"))),
    )


def _of(lines: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["k"] == kind]


_KINDS = ("variable", "seed", "draw", "entropy", "network", "process", "list")
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", f"{os.sep}lib{os.sep}python3")


@dataclass(frozen=True)
class _Reader:
    """Turns lines of the trace into facts."""

    spans: tuple[Span, ...]
    root: str

    def happened(self, line: Mapping[str, Any]) -> Happened:
        return Happened(line["p"], self._cell(line["t"]))

    def variables(self, line: Mapping[str, Any]) -> Iterator[VariableRead]:
        for detail, near, _ in self._places(line):
            yield VariableRead(line["p"], detail == "present", near)

    def generators(self, line: Mapping[str, Any]) -> Iterator[GeneratorFact]:
        for detail, near, user in self._places(line):
            place = Place(user.cell) if line["k"] == "draw" else user
            if near == user or not (line["k"] == "entropy" and line["p"].startswith("random.")):
                yield GeneratorFact(line["p"], detail == "fixed", place)

    def listings(self, listed: Iterable[Happened]) -> Iterator[Listing]:
        """Folders of the project among those that were listed, with what is in them now."""
        inside = [one for one in listed if f"{one.what}{os.sep}".startswith(f"{self.root}{os.sep}")]
        for one in [one for one in inside if not _is_library(f"{one.what}{os.sep}")][:_MOST_FOLDERS]:
            folder = os.path.relpath(one.what, self.root)
            yield Listing("" if folder == os.curdir else folder, _names(one.what), one.cell)

    def _places(self, line: Mapping[str, Any]) -> Iterator[tuple[str, Place, Place]]:
        detail, *places = str(line.get("n", "")).split("\t")
        if len(places) == 4 and places[1].isdigit() and places[3].isdigit():  # noqa: PLR2004 - twice file and line
            cell = self._cell(line["t"])
            yield detail, self._place(places[0], int(places[1]), cell), self._place(places[2], int(places[3]), cell)

    def _cell(self, moment: int) -> int | None:
        return next((span.cell for span in self.spans if span.start <= moment <= span.end), None)

    def _place(self, file: str, line: int, cell: int | None) -> Place:
        place = Place(cell, file, line)
        if not file:
            return place
        if _is_cell(file):
            return replace(place, file="", owner="cell")
        real = "" if _is_library(file) else os.path.realpath(file)
        if real.startswith(f"{self.root}{os.sep}"):
            return replace(place, file=os.path.relpath(real, self.root), owner="project")
        return replace(place, owner="library")


def _names(folder: str) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as entries:
            return tuple(entry.name for entry in itertools.islice(entries, _MOST_NAMES))
    except OSError:
        return ()


def _is_cell(file: str) -> bool:
    """Whether this is how IPython and ipykernel call the code of cells."""
    return file.startswith("<ipython-input") or f"{os.sep}ipykernel_" in file


def _is_library(file: str) -> bool:
    return any(part in file for part in _LIBRARIES)
