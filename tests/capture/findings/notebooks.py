"""Small notebooks and scripts for rules to look at."""

from collections.abc import Sequence
from typing import Any

from repro.capture.findings import Finding, Run, Source, find, notebook_source, script_source, settle


def notebook(*cells: str, counts: Sequence[int | None] = (), tags: Sequence[Sequence[str]] = ()) -> Source:
    """A notebook of code cells."""
    made: list[dict[str, Any]] = []
    for number, source in enumerate(cells):
        count = counts[number] if number < len(counts) else None
        tagged = {"tags": list(tags[number])} if number < len(tags) else {}
        made.append({"cell_type": "code", "source": source, "execution_count": count, "metadata": tagged})
    return notebook_source("work.ipynb", {"cells": made})


def script(text: str) -> Source:
    return script_source("work.py", text)


def of(rule: str, source: Source) -> list[Finding]:
    """What one rule finds."""
    return [one for one in find(source) if one.rule == rule]


def places(rule: str, source: Source) -> list[tuple[int | None, int | None]]:
    """Cell and line of what one rule finds."""
    return [(one.place.cell, one.place.line) for one in of(rule, source)]


def after(rule: str, source: Source, run: Run) -> list[Finding]:
    """What is left of one rule's findings after a run."""
    return [one for one in settle(source, find(source), run) if one.rule == rule]
