"""Metrics in a notebook's outputs: scrapbook's scraps, our one-line display, and what tagged cells printed."""

from __future__ import annotations

import ast
import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .found import Found

METRICS_MIME = "application/vnd.repro.metrics+json"
SCRAP_MIME = "application/scrapbook.scrap.json+json"
TAG = "metrics"

_NUMPY_BOOLS = {ast.dump(ast.parse(f"np.{value}_", mode="eval").body): value for value in (True, False)}

# Kernels turn what JSON has no number for into its repr, `nan` or, from NumPy, `np.float64(nan)`.
_NOT_FINITE = re.compile(r"(?:np\.float\d+\()?(nan|-?inf)\)?")


def code_cells(notebook: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    """(number from 1, cell) of each code cell."""
    return enumerate((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), start=1)


def is_tagged(cell: Mapping[str, Any]) -> bool:
    """Whether the cell is to report metrics."""
    return TAG in cell.get("metadata", {}).get("tags", [])


def displayed_metrics(notebook: Mapping[str, Any]) -> Found:
    """Scraps and displayed metrics of all cells, in order."""
    found = Found()
    for number, cell in code_cells(notebook):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if METRICS_MIME in data:
                _add_display(found, data[METRICS_MIME], f"display:{number}")
            if SCRAP_MIME in data:
                _add_scrap(found, data[SCRAP_MIME], f"scrapbook:{number}")
    return found


def printed_metrics(notebook: Mapping[str, Any]) -> Found:
    """What the stored outputs of cells tagged `metrics` say, where their last value is a mapping that reads back."""
    found = Found()
    for number, cell in code_cells(notebook):
        if not is_tagged(cell):
            continue
        texts = [
            out.get("data", {}).get("text/plain", "")
            for out in cell["outputs"]
            if out["output_type"] == "execute_result"
        ]
        values = [value for value in map(read_repr, texts) if isinstance(value, Mapping)]
        for value in values:
            found.add("", value, f"cell:{number}")
        if not values and not _shows_metrics(cell["outputs"]):
            found.warnings.append(
                f"cell {number} is tagged {TAG}, but its stored outputs hold no values that can be read"
            )
    return found


def read_repr(text: str) -> Any:
    """The value behind a repr of plain Python and NumPy scalars, with nan and inf; None for anything else."""
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, TypeError, RecursionError, struct.error, OverflowError):
        return None


def _add_display(found: Found, data: Any, source: str) -> None:
    if isinstance(data, Mapping):
        found.add("", _with_floats(data), source)
    else:
        found.problems.append(f"{source}: {METRICS_MIME} holds a {type(data).__name__}, not names with values")


def _add_scrap(found: Found, scrap: Any, source: str) -> None:
    if isinstance(scrap, Mapping) and scrap.get("encoder") == "json" and "name" in scrap and "data" in scrap:
        data = scrap["data"]
        flat = isinstance(data, Mapping) and all(isinstance(item, (bool, int, float, str)) for item in data.values())
        if flat or isinstance(
            data, (bool, int, float, str)
        ):  # scraps carry tables and pictures too: those are no metrics
            found.add(str(scrap["name"]), _with_floats(data), source)


def _with_floats(value: Any) -> Any:
    if isinstance(value, str):
        match = _NOT_FINITE.fullmatch(value)
        return float(match.group(1)) if match else value
    if isinstance(value, Mapping):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return value


def _shows_metrics(outputs: Iterable[Mapping[str, Any]]) -> bool:
    return any({METRICS_MIME, SCRAP_MIME} & set(output.get("data", {})) for output in outputs)


def _evaluate(node: ast.expr) -> Any:
    """`ast.literal_eval` and a little more. Raises ValueError for everything else."""
    if isinstance(node, ast.Dict):
        keys = [_evaluate(key) for key in node.keys if key is not None]
        return {key: _evaluate(node.values[index]) for index, key in enumerate(keys)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.Name) and node.id in ("nan", "inf"):
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand)
    if isinstance(node, ast.Call):
        return _evaluate_numpy(node)
    known = _NUMPY_BOOLS.get(ast.dump(node))
    return ast.literal_eval(node) if known is None else known


def _evaluate_numpy(node: ast.Call) -> Any:
    """`np.float32(0.1)` and its like: narrow floats print their own shortest digits, hence narrowed before widened."""
    function = node.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "np"):
        msg = "not a NumPy scalar"
        raise ValueError(msg)
    (argument,) = node.args
    value = _evaluate(argument)
    narrow = {"float32": "<f", "float16": "<e"}.get(function.attr)
    if narrow and math.isfinite(value):
        return struct.unpack(narrow, struct.pack(narrow, value))[0]
    return value
