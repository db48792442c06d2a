"""What a run under capture was observed to depend on besides files: variables, generators, network, processes.

Facts by place and cell for those who judge them; the judgement is elsewhere. Volatile: never part of a lock.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from repro.capture.tracing.cells import Span
from repro.files import atomic_write

SCHEMA = "repro.observed/1"
FILE = "observed.json"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Happened:
    """An address that was looked up or connected to, or a command line that was started, when it first was."""

    what: str
    cell: int | None


@dataclass(frozen=True, slots=True)
class Observed:
    """The facts of one run, each in the order in which they were first seen.

    Attributes:
        variables: Variables read.
        seeds: Process-wide generators seeded, whether with a given value (`fixed`) or with entropy.
        draws: Process-wide generators that moved during a cell (or a script), and whether their last seed was fixed.
        entropy: Generators made without a seed, or entropy asked for, by code of cells and project or on its behalf.
        network: `host:port` looked up or connected to by Python.
        processes: Command lines started by Python.
    """

    variables: tuple[VariableRead, ...] = ()
    seeds: tuple[GeneratorFact, ...] = ()
    draws: tuple[GeneratorFact, ...] = ()
    entropy: tuple[GeneratorFact, ...] = ()
    network: tuple[Happened, ...] = ()
    processes: tuple[Happened, ...] = ()

    def missing_variables(self, given: Iterable[str]) -> tuple[VariableRead, ...]:
        """Those that were set, that code of cells or the project asked for, and that are not in `given`."""
        known = set(given)
        return tuple(
            one for one in self.variables if one.present and one.place.owner != "library" and one.name not in known
        )

    def unseeded(self) -> tuple[GeneratorFact, ...]:
        """What gives other numbers with every run: draws after no fixed seed, and generators without one."""
        return tuple(one for one in (*self.draws, *self.entropy) if not one.fixed)

    def save(self, directory: Path) -> None:
        """Write `observed.json` there."""
        document = {"schema": SCHEMA, **asdict(self)}
        atomic_write(directory / FILE, json.dumps(document, indent=1, sort_keys=True).encode("ascii") + b"\n")


def load_observed(directory: Path) -> Observed:
    """Read what `save` left in a run's directory. Raises OSError, and ValueError when it is something else."""
    data = json.loads((directory / FILE).read_bytes())
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise ValueError(f"{directory / FILE} is not a {SCHEMA} document")
    facts = {name: tuple(_fact(one) for one in data[name]) for name in ("seeds", "draws", "entropy")}
    happened = {name: tuple(Happened(**one) for one in data[name]) for name in ("network", "processes")}
    variables = tuple(VariableRead(**{**one, "place": Place(**one["place"])}) for one in data["variables"])
    return Observed(variables, facts["seeds"], facts["draws"], facts["entropy"], **happened)


def _fact(data: Mapping[str, Any]) -> GeneratorFact:
    return GeneratorFact(data["generator"], data["fixed"], Place(**data["place"]))


def observe(trace: Path, spans: Iterable[Span], root: Path) -> Observed:
    """Gather the facts of all processes of a run.

    Args:
        trace: The folder of the runner's trace.
        spans: When each cell ran.
        root: Project root, absolute, links resolved.
    """
    reader = _Reader(tuple(spans), os.path.realpath(root))
    lines = sorted(_lines(trace), key=lambda line: int(line["t"]))

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
    )


def _of(lines: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["k"] == kind]


_KINDS = frozenset({"variable", "seed", "draw", "entropy", "network", "process"})
_LIBRARIES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


@dataclass(frozen=True, slots=True)
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
        inside = os.path.realpath(file).startswith(f"{self.root}{os.sep}") and not _is_library(file)
        if inside:
            return replace(place, file=os.path.relpath(os.path.realpath(file), self.root), owner="project")
        return replace(place, owner="library")


def _is_cell(file: str) -> bool:
    """Whether this is how IPython and ipykernel call the code of cells."""
    return file.startswith("<ipython-input") or f"{os.sep}ipykernel_" in file


def _is_library(file: str) -> bool:
    return any(part in file for part in (*_LIBRARIES, f"{os.sep}lib{os.sep}python3"))


def _lines(trace: Path) -> Iterator[dict[str, Any]]:
    """Whole lines of the kinds that count here."""
    for file in sorted(trace.glob("*.jsonl")):
        for text in file.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            whole = isinstance(line, dict) and isinstance(line.get("t"), int) and isinstance(line.get("p"), str)
            if whole and line.get("k") in _KINDS:
                yield line
