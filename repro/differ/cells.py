"""Two versions of a source → which cells or definitions changed, by what they do rather than how they are written.

Comments, blank lines and layout don't count, nor do a notebook's outputs and texts. Pure.
"""

import ast
import difflib
import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import yaml

from repro.capture.findings import Cell, notebook_source
from repro.capture.findings.magics import parse

Extent = Literal["content", "comments", "outputs", "layout"]
"""How far a change goes: `content` may do something else; the others can't."""

_MOST_LINES = 8
_WIDEST = 160
_FORMAT = 4


@dataclass(frozen=True, slots=True)
class Edit:
    """How two versions of a file differ.

    Attributes:
        extent: Whether it is more than comments, outputs or layout.
        lines: What changed, for people.
    """

    extent: Extent
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A cell, a definition or a statement.

    Attributes:
        label: What people call it.
        key: What it does; equal for what only looks different.
        text: As written.
    """

    label: str
    key: str
    text: str


def compare_sources(path: str, before: bytes, after: bytes) -> Edit:
    """How the second version of a file differs from the first, as far as its kind is known."""
    suffix = PurePosixPath(path).suffix.lower()
    read = _UNITS.get(suffix)
    if read is not None:
        old, new = read(before), read(after)
        if old is not None and new is not None:
            return _compared(old, new, "outputs" if suffix == ".ipynb" else "comments", before, after)
    elif suffix in _VALUES and _same_value(_VALUES[suffix], before, after):
        return Edit("layout")
    return Edit("content", tuple(_text_lines(_text(before), _text(after))))


def source_texts(path: str, data: bytes) -> list[str]:
    """The text of each code cell of a notebook, or of the whole file."""
    return _code(data) if path.endswith(".ipynb") else [_text(data)]


def _compared(old: Sequence[_Unit], new: Sequence[_Unit], lesser: Extent, before: bytes, after: bytes) -> Edit:
    lines = tuple(_unit_lines(old, new))
    if lines:
        return Edit("content", lines)
    same = lesser == "outputs" and _code(before) == _code(after)
    return Edit("outputs" if same else "comments")


def _unit_lines(old: Sequence[_Unit], new: Sequence[_Unit]) -> Iterator[str]:
    """What differs, by the new version's order."""
    matcher = difflib.SequenceMatcher(None, [one.key for one in old], [one.key for one in new], autojunk=False)
    gone, came = _leftover(matcher, old, new)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag != "equal":
            yield from _block(old[start:end], new[first:last], gone, came)


def _leftover(
    matcher: "difflib.SequenceMatcher[str]", old: Sequence[_Unit], new: Sequence[_Unit]
) -> tuple[dict[str, _Unit], dict[str, _Unit]]:
    """What has no counterpart in its place, by key: what is in both has moved."""
    blocks = [opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal"]
    return (
        {one.key: one for _, start, end, _, _ in blocks for one in old[start:end]},
        {one.key: one for _, _, _, first, last in blocks for one in new[first:last]},
    )


def _block(old: Sequence[_Unit], new: Sequence[_Unit], gone: dict[str, _Unit], came: dict[str, _Unit]) -> Iterator[str]:
    before = [one for one in old if one.key not in came]
    after = [one for one in new if one.key not in gone]
    for one in new:
        if one.key in gone:
            yield f"{one.label} was {gone[one.key].label}: the order changed"
    for was, now in zip(before, after, strict=False):
        yield f"{now.label}: changed" + (f" (was {was.label})" if was.label != now.label else "")
        yield from _text_lines(was.text, now.text)
    for one in after[len(before) :]:
        yield f"{one.label}: new"
        yield from _text_lines("", one.text)
    for one in before[len(after) :]:
        yield f"{one.label}: removed"
        yield from _text_lines(one.text, "")


def _text_lines(before: str, after: str) -> Iterator[str]:
    """The lines that differ, `-` and `+` before them; the first few."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    lines = [line for line in found if line[:1] in "+-" and line[:3] not in {"---", "+++"}]
    for line in lines[:_MOST_LINES]:
        yield f"  {line[0]} {line[1:_WIDEST]}"
    if len(lines) > _MOST_LINES:
        yield f"  … and {len(lines) - _MOST_LINES} more lines"


def _text(data: bytes) -> str:
    """What can be shown of a file: nothing of one that is no text."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


def _module_units(data: bytes) -> list[_Unit] | None:
    """The statements of a module; None for what is no Python."""
    text = _text(data)
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    lines = text.splitlines()
    return [_statement(node, lines) for node in tree.body]


def _statement(node: ast.stmt, lines: Sequence[str]) -> _Unit:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            label = f"function {name}"
        case ast.ClassDef(name=name):
            label = f"class {name}"
        case _:
            label = f"line {node.lineno}"
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return _Unit(label, ast.dump(node), "\n".join(lines[first - 1 : node.end_lineno]))


def _cell_units(data: bytes) -> list[_Unit] | None:
    """The code cells of a notebook in format 4 that do something; None for anything else."""
    notebook = _notebook(data)
    if notebook is None:
        return None
    cells = notebook_source("", notebook).cells
    return [_Unit(f"cell {cell.number}", _cell_key(cell), "\n".join(cell.lines)) for cell in cells if _acts(cell)]


def _acts(cell: Cell) -> bool:
    return bool(cell.tree.body or cell.magics or cell.error)


def _cell_key(cell: Cell) -> str:
    if cell.error is not None:
        return json.dumps([cell.lines, sorted(cell.tags)])
    magics = [[one.name, one.text.strip(), one.indented] for one in cell.magics]
    return json.dumps([ast.dump(cell.tree), magics, sorted(cell.tags)])


def _notebook(data: bytes) -> dict[str, Any] | None:
    """What matters of a notebook, sources joined."""
    try:
        document = json.loads(data)
        if document["nbformat"] != _FORMAT:
            return None
        return {"cells": [_cell(cell) for cell in document["cells"]]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    return {"cell_type": cell["cell_type"], "source": text, "metadata": cell.get("metadata", {})}


def _code(data: bytes) -> list[str]:
    notebook = _notebook(data) or {"cells": []}
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _same_value(load: Callable[[str], Any], before: bytes, after: bytes) -> bool:
    """Whether two documents say the same, in the same order."""
    try:
        old, new = (json.dumps(load(data.decode("utf-8-sig")), default=repr) for data in (before, after))
    except (ValueError, yaml.YAMLError, RecursionError, TypeError):
        return False
    return old == new


_UNITS: dict[str, Callable[[bytes], list[_Unit] | None]] = {".py": _module_units, ".ipynb": _cell_units}
_VALUES: dict[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
}
