"""How several runs of one capture differ: for a person, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from repro.capture.runs.model import Repeats, Spread
from repro.report.metrics import value_text
from repro.report.style import Style
from repro.verify.document import encode_exactly
from repro.words import count


def repeat_lines(repeats: Repeats | None, style: Style) -> list[str]:
    """What several runs had in common, and the values of each metric that they hadn't; nothing of a single run."""
    if repeats is None:
        return []
    head = f"{repeats.runs} runs from the same files"
    if repeats.same:
        return [f"{style.mark('ok')} {head}: the same metrics, outputs and written files"]
    lines = style.wrap(f"{head} differ: {', '.join(_parts(repeats))}", f"{style.mark('warn')} ", lead=2)
    return [*lines, *style.fields((spread.name, _values(spread)) for spread in repeats.moved)]


def repeats_json(repeats: Repeats | None) -> dict[str, Any] | None:
    """The same for programs: every metric with the value of each run, exactly."""
    if repeats is None:
        return None
    metrics = [
        {
            "name": spread.name,
            "same": spread.same,
            "width": spread.width,
            "values": [encode_exactly(value) for value in spread.values],
        }
        for spread in repeats.metrics
    ]
    return {**asdict(repeats), "same": repeats.same, "metrics": metrics}


def _parts(repeats: Repeats) -> Iterator[str]:
    if repeats.failures:
        yield f"{count(len(repeats.failures), 'run')} failed"
    if repeats.moved:
        yield f"{len(repeats.moved)} of {count(len(repeats.metrics), 'metric')}"
    if repeats.cell is not None:
        yield "what is printed" if repeats.cell.cell is None else _cells(repeats.cells, repeats.cell.cell)
    if repeats.files:
        yield f"{count(len(repeats.files), 'written file')}"


def _cells(number: int, first: int) -> str:
    return f"what cell {first} shows" if number == 1 else f"what {number} cells show, the first is cell {first}"


def _values(spread: Spread) -> str:
    width = "" if spread.width is None else f", apart by {spread.width:.3g}"
    return f"{', '.join(map(value_text, spread.values))}{width}"
