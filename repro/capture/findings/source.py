"""The subject as rules see it: cells with their trees, whatever is in them, and where each line lies in the file."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from repro.capture.findings.lexing import Lexer
from repro.capture.findings.magics import Magic, parse, translate
from repro.capture.findings.positions import cell_lines

_NOTHING = ast.Module(body=[], type_ignores=[])
_ALLOW = re.compile(r"#\s*repro:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is.

    Attributes:
        path: The file, relative to the project root.
        cell: Number of the code cell, from 1, as in the errors of a run; None in scripts.
        line: Line in the cell, or in the script, from 1; None for the file, or the cell, as a whole.
        file_line: Line in the file itself, from 1; None when it can't be told.
        text: The line as written.
    """

    path: str
    cell: int | None = None
    line: int | None = None
    file_line: int | None = None
    text: str = ""

    def __str__(self) -> str:
        if self.cell is None:
            return self.path if self.line is None else f"{self.path}: line {self.line}"
        return f"{self.path}: cell {self.cell}" + ("" if self.line is None else f", line {self.line}")


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell, or a whole script.

    Attributes:
        number: From 1; None for a script.
        lines: As written.
        tree: What it does; empty when it isn't Python.
        magics: What it does beside Python.
        error: Why it isn't Python, else None.
        count: In which turn it ran last, as its author left it; None if it didn't.
        tags: The cell's tags.
        file_lines: Where the lines are in the file; empty when that can't be told.
        nodes: Every node of the tree, in no useful order.
        calls: Those that are calls, in the order of their lines.
        allowed: Rules that a comment `# repro: allow <rule>` silences, for each line of the statement that it is on.
    """

    number: int | None
    lines: tuple[str, ...]
    tree: ast.Module
    magics: tuple[Magic, ...] = ()
    error: SyntaxError | None = None
    count: int | None = None
    tags: frozenset[str] = frozenset()
    file_lines: tuple[int, ...] = ()
    nodes: tuple[ast.AST, ...] = ()
    calls: tuple[ast.Call, ...] = ()
    allowed: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether a run executes it."""
        return "skip-execution" not in self.tags and any(line.strip() for line in self.lines)

    @property
    def may_fail(self) -> bool:
        """Whether its author expects that it raises."""
        return "raises-exception" in self.tags


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The subject.

    Attributes:
        path: Relative to the project root, POSIX.
        cells: Those with code, in order; a script is one.
        notebook: Whether it is one.
        python: Version of Python that runs it, such as `3.11.7`; "" when that isn't known.
        unfound: Top-level modules that this Python doesn't find.
        root: The project root, absolute, POSIX; "" when that isn't known.
    """

    path: str
    cells: tuple[Cell, ...]
    notebook: bool = True
    python: str = ""
    unfound: frozenset[str] = field(default_factory=frozenset)
    root: str = ""

    def place(self, cell: Cell, line: int | None = None) -> Place:
        """A line of a cell, with its text; without `line` the cell as a whole."""
        index = (line or 1) - 1
        known = 0 <= index < len(cell.file_lines)
        text = cell.lines[index].strip() if line is not None and 0 <= index < len(cell.lines) else ""
        return Place(self.path, cell.number, line, cell.file_lines[index] if known else None, text)

    def nodes(self) -> Iterator[tuple[Cell, ast.AST]]:
        """Every node of every cell, in no useful order within one."""
        return ((cell, node) for cell in self.cells for node in cell.nodes)

    def calls(self) -> Iterator[tuple[Cell, ast.Call]]:
        """Every call that a run may make, by cell and line."""
        return ((cell, call) for cell in self.cells if cell.runs for call in cell.calls)


def notebook_source(path: str, notebook: Mapping[str, Any], text: str = "") -> Source:
    """A notebook as rules see it.

    Args:
        path: Relative to the project root.
        notebook: Its content, format 4.
        text: The file, to tell its lines; "" when that doesn't matter.
    """
    lines = cell_lines(text) if text else []
    cells: list[Cell] = []
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            places = lines[index] if index < len(lines) else []
            cells.append(_cell(len(cells) + 1, cell, places))
    return Source(path, tuple(cells))


def script_source(path: str, text: str) -> Source:
    """A script as rules see it."""
    text = text.replace("\r\n", "\n")
    lines = tuple(text.split("\n"))
    cell = _parsed(text, Cell(None, lines, _NOTHING, file_lines=tuple(range(1, len(lines) + 1))))
    return Source(path, (cell,), notebook=False)


def _cell(number: int, cell: Mapping[str, Any], places: Sequence[int]) -> Cell:
    text = cell["source"].replace("\r\n", "\n")
    lines = tuple(text.split("\n"))
    done = translate(text)
    tags = cell.get("metadata", {}).get("tags", [])
    read = Cell(
        number,
        lines,
        _NOTHING,
        magics=tuple(done.magics),
        count=cell.get("execution_count"),
        tags=frozenset(tag for tag in tags if isinstance(tag, str)),
        file_lines=tuple(places) if len(places) == len(lines) else (),
    )
    return _parsed(done.text, read)


def _parsed(text: str, cell: Cell) -> Cell:
    """A cell with what its Python is."""
    allowed = _allowed(cell.lines)
    try:
        tree = parse(text)
    except SyntaxError as error:
        return replace(cell, error=error, allowed=allowed)
    nodes = tuple(ast.walk(tree))
    calls = sorted((one for one in nodes if isinstance(one, ast.Call)), key=lambda one: (one.lineno, one.col_offset))
    return replace(cell, tree=tree, nodes=nodes, calls=tuple(calls), allowed=allowed)


def _allowed(lines: Sequence[str]) -> dict[int, frozenset[str]]:
    if not any("repro:" in line for line in lines):
        return {}
    lexer, begun, found = Lexer(), 1, dict[int, frozenset[str]]()
    for number, line in enumerate(lines, 1):
        begun = number if lexer.fresh else begun
        comment = lexer.feed(line) or (line if line.lstrip().startswith(("!", "%")) else "")
        for names in _ALLOW.findall(comment):
            for one in range(begun, number + 1):
                found[one] = found.get(one, frozenset()).union(re.split(r"\s*,\s*", names))
    return found
