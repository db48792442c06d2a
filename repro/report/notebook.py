"""What the run showed beside what the laptop's showed, as a page of its own for a frame without scripts.

One column where both show the same, two where they don't. What a container says is made harmless twice: here, where
only known tags are left, and by the frame, which runs nothing and reaches nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode, from_dict

from repro.outputs.compare import OutputDifference, output_differences, text_difference
from repro.report.cells import Cell, as_notebook, read_cells
from repro.report.dossier import Executed
from repro.runner.documents import CellRun

_HARMLESS = (
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 "
    "hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt "
    "u ul var"
)
_PLAIN_ATTRIBUTES = frozenset(
    {
        "alt",
        "align",
        "class",
        "colspan",
        "height",
        "open",
        "rowspan",
        "scope",
        "span",
        "start",
        "style",
        "title",
        "width",
    }
)
_STYLES = ("font-style", "font-weight", "text-align", "text-decoration", "width")
"""No colours: they were chosen for another ground than a dark one."""
_PICTURES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/svg+xml;base64,")
_PYTHON = {"language_info": {"name": "python", "pygments_lexer": "python3"}}
_WORDS = {"text/plain": "text", "text/html": "HTML", "image/png": "a picture", "image/jpeg": "a picture"}
_SHOWN = 10_000
"""Characters at the end of what a script printed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cell, or all that a script printed.

    Attributes:
        title: `cell 3`, "" for text between cells.
        source: As HTML.
        laptop: What the laptop showed, as HTML; None where there is nothing to compare, or no difference.
        here: What the run showed, as HTML.
        difference: Where they first differ, in words; "" where they don't.
        seconds: How long the run took; None where unknown.
    """

    title: str
    source: Markup
    laptop: Markup | None
    here: Markup
    difference: str
    seconds: float | None


def rows(here: Executed, laptop: Executed | None, timing: Sequence[CellRun]) -> list[Row] | None:
    """What both runs showed; None for what can't be read."""
    if laptop is not None and laptop.kind != here.kind:
        laptop = None
    if here.kind == "output":
        return [_printed(here, laptop)]
    cells = read_cells(here.data)
    before = None if laptop is None else read_cells(laptop.data)
    return None if cells is None else list(_cell_rows(cells, before, {cell.number: cell.seconds for cell in timing}))


def _printed(here: Executed, laptop: Executed | None) -> Row:
    text = here.data.decode("utf-8", "replace")
    before = None if laptop is None else laptop.data.decode("utf-8", "replace")
    found = None if before is None else text_difference(before, text)
    shown = None if before is None or found is None else _pre(before)
    return Row("what the script printed", Markup(), shown, _pre(text), _where(found), None)


def _pre(text: str) -> Markup:
    cut = f"… {len(text) - _SHOWN} characters before these\n" if len(text) > _SHOWN else ""
    return Markup("<pre>{}</pre>").format(cut + text[-_SHOWN:])


def _cell_rows(cells: Sequence[Cell], before: Sequence[Cell] | None, timing: dict[int, float]) -> Iterator[Row]:
    differ = _differences(cells, before)
    convert = _converter()
    laptop = {cell.number: cell for cell in before or () if cell.number is not None}
    for cell in cells:
        found = differ.get(cell.number or 0)
        both = laptop.get(cell.number or 0) if found else None
        yield Row(
            title="" if cell.number is None else f"cell {cell.number}",
            source=convert(Cell(cell.kind, cell.source)),
            laptop=None if both is None else convert(Cell("code", "", both.number, both.outputs)),
            here=convert(Cell("code", "", cell.number, cell.outputs)) if cell.outputs else Markup(),
            difference=_where(found),
            seconds=timing.get(cell.number or 0),
        )


def _differences(cells: Sequence[Cell], before: Sequence[Cell] | None) -> dict[int, OutputDifference]:
    if before is None:
        return {}
    found = output_differences(as_notebook(before), as_notebook(cells))
    return {one.cell: one for one in found if one.cell is not None}


def _where(found: OutputDifference | None) -> str:
    if found is None:
        return ""
    return f"differs in {_WORDS.get(found.kind, found.kind)}" + ("" if found.line is None else f", line {found.line}")


def _converter() -> Callable[[Cell], Markup]:
    """From a cell to HTML by nbconvert, of which only harmless tags are left."""
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
    cleaner = Cleaner(
        tags=frozenset(_HARMLESS.split()),
        attributes=_allowed,
        protocols={"data"},
        strip=True,
        css_sanitizer=CSSSanitizer(_STYLES),
    )

    def convert(cell: Cell) -> Markup:
        exporter.exclude_input = not cell.source
        try:
            page, _ = exporter.from_notebook_node(_notebook(cell))
            return Markup(cleaner.clean(page))  # noqa: S704 - this is what makes it harmless
        except Exception:  # noqa: BLE001 - somebody's text may break somebody's parser; the report comes all the same
            return Markup("<p>{}</p>").format("This can't be shown here.")

    return convert


def _notebook(cell: Cell) -> NotebookNode:
    """A notebook of this one cell."""
    node: dict[str, Any] = {"cell_type": cell.kind, "metadata": {}, "source": cell.source}
    if cell.kind == "code":
        node |= {"execution_count": None, "outputs": list(cell.outputs)}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": _PYTHON, "cells": [node]}
    made: NotebookNode = from_dict(document)  # type: ignore[no-untyped-call]
    return made


def _allowed(tag: str, name: str, value: str) -> bool:
    """Links lead nowhere and pictures come from nowhere else."""
    if name == "src":
        return tag == "img" and value.startswith(_PICTURES)
    return name in _PLAIN_ATTRIBUTES
