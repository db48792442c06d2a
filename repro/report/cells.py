"""An executed notebook, read as what it is, a file out of a container: only what can be shown, in known shapes."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

IMAGES = ("image/png", "image/jpeg", "image/svg+xml")
_KINDS = (*IMAGES, "text/html", "text/markdown", "text/latex", "text/plain")
"""What an output is shown as, the best first."""
_PROGRAMS = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MOST_CELLS = 2000
_MOST_TEXT = 200_000
"""Characters of one output or source; more are cut."""
_MOST_MARKUP = 2_000_000
"""Characters of markup of all cells: making it harmless takes its time."""
_DEEPEST = 200
"""Tags in each other: parsers take the square of it."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "p", "td", "th", "tr", "li"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        kind: Code, or Markdown.
        source: Its text.
        number: Of a code cell, from 1, as everywhere in repro; None for Markdown.
        outputs: What it showed, as nbformat 4 has it.
    """

    kind: Literal["code", "markdown"]
    source: str
    number: int | None = None
    outputs: tuple[Mapping[str, Any], ...] = field(default=())


def read_cells(data: bytes) -> list[Cell] | None:
    """The cells that show something; None for what is no notebook. Markup that is too much is shown as text."""
    try:
        found = json.loads(data)["cells"]
        cells = [cell for cell in found if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return list(_bounded(_cells(cells[:_MOST_CELLS])))


def as_notebook(cells: Sequence[Cell]) -> dict[str, Any]:
    """Back as a notebook, for comparing outputs."""
    return {"cells": [{"cell_type": cell.kind, "source": cell.source, "outputs": list(cell.outputs)} for cell in cells]}


def _bounded(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells, with markup as text from where there has been too much of it."""
    left = _MOST_MARKUP
    for cell in cells:
        left -= len(cell.source) if cell.kind == "markdown" else 0
        left -= sum(len(output.get("data", {}).get("text/html", "")) for output in cell.outputs)
        yield cell if left >= 0 else _as_text(cell)


def _as_text(cell: Cell) -> Cell:
    if cell.kind == "markdown":
        return replace(cell, source=html.escape(cell.source))
    return replace(cell, outputs=tuple(map(_output_as_text, cell.outputs)))


def _output_as_text(output: Mapping[str, Any]) -> Mapping[str, Any]:
    found = output.get("data", {})
    return {**output, "data": {"text/plain": found["text/html"]}} if "text/html" in found else output


def _cells(cells: Sequence[Mapping[str, Any]]) -> Iterator[Cell]:
    number = 0
    for cell in cells:
        source = _text(cell.get("source"))
        if cell.get("cell_type") == "code":
            number += 1
            outputs = cell.get("outputs")
            shown = tuple(_outputs(outputs, number)) if isinstance(outputs, list) else ()
            yield Cell("code", source, number, shown)
        elif cell.get("cell_type") == "markdown":
            plain = _PROGRAMS.sub("", source)
            yield Cell("markdown", html.escape(plain) if _deep(plain) else plain)


def _outputs(outputs: Sequence[Any], number: int) -> Iterator[Mapping[str, Any]]:
    for output in outputs:
        match output:
            case {"output_type": "stream"}:
                name = "stderr" if output.get("name") == "stderr" else "stdout"
                yield {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
            case {"output_type": "error"}:
                yield _error(output)
            case {"output_type": "display_data" | "execute_result", "data": dict(data)}:
                kind, shown = _best(data)
                if kind:
                    alt = {kind: {"alt": f"picture that cell {number} shows"}} if kind in IMAGES else {}
                    yield {"output_type": "display_data", "data": {kind: shown}, "metadata": alt}


def _error(output: Mapping[str, Any]) -> Mapping[str, Any]:
    lines = output.get("traceback")
    return {
        "output_type": "error",
        "ename": _text(output.get("ename")),
        "evalue": _text(output.get("evalue")),
        "traceback": [_text(line) for line in lines] if isinstance(lines, list) else [],
    }


def _best(data: Mapping[str, Any]) -> tuple[str, str]:
    for kind in _KINDS:
        if kind not in data:
            continue
        if kind in IMAGES:
            picture = "".join(data[kind]) if _is_lines(data[kind]) else str(data[kind])
            if kind == "image/svg+xml" or _BASE64.fullmatch(picture):
                return kind, picture
        elif kind != "text/html" or not _deep(_text(data[kind])):
            return kind, _PROGRAMS.sub("", _text(data[kind]))
    return ("text/plain", _text(data["text/html"])) if "text/html" in data else ("", "")


def _deep(text: str) -> bool:
    """Whether markup nests deeper than any that people make."""
    depth = 0
    for closing, name in _TAG.findall(text):
        depth = max(depth + (0 if name.lower() in _VOID else -1 if closing else 1), 0)
        if depth > _DEEPEST:
            return True
    return False


def _text(value: object) -> str:
    """One text, or its lines: notebooks have both."""
    text = "".join(value) if _is_lines(value) else value if isinstance(value, str) else ""  # type: ignore[arg-type]
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}\n… {len(text) - _MOST_TEXT} more characters"


def _is_lines(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)
