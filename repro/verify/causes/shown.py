"""What two notebooks first show otherwise; one of them may come out of a container that somebody else made."""

import contextlib
from collections.abc import Mapping
from typing import Any

from repro.outputs.compare import OutputDifference, output_differences


def code_cells(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The code cells of a notebook that was merely parsed."""
    return [one for one in notebook.get("cells", ()) if one.get("cell_type") == "code"]


def source_of(cell: Mapping[str, Any]) -> str:
    """The text of a cell: notebooks have one text, or its lines."""
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def first_difference(baseline: Mapping[str, Any], other: Mapping[str, Any]) -> OutputDifference | None:
    """The first cell that shows something else; None also for notebooks that are not what they should be."""
    with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError):
        return next(output_differences(baseline, other), None)
    return None
