"""Collects an evaluation's metrics, from places on disk, living cells and outputs, as exactly as they were computed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

from .documents import MeasuredMetric, decode_value
from .found import Collected, Found, merge, no_value
from .metrics_outputs import TAG, displayed_metrics, printed_metrics
from .metrics_places import Before, read_places
from .metrics_printed import Printed, is_printed, printed_cells, read_printed

_CURE = "end it in a dict or Series of numbers"


def stored_metrics(notebook: Mapping[str, Any] | None, root: Path, metrics_files: Iterable[str]) -> Collected:
    """The metrics that earlier runs left: in places on disk and in the notebook's stored outputs. Runs nothing.

    `notebook` is None for scripts.
    """
    entries = tuple(metrics_files)
    found = read_places(root, entries, None)
    if notebook is not None:
        found.extend(printed_metrics(notebook))
        found.extend(displayed_metrics(notebook))
        found.extend(read_printed(filter(is_printed, entries), printed_cells(notebook)))
    return merge(found)


def run_metrics(
    root: Path,
    metrics_files: Iterable[str],
    before: Before,
    tagged: Found,
    notebook: Mapping[str, Any] | None,
    *,
    printed: Callable[[], Iterable[Printed]] = tuple,
) -> Collected:
    """The metrics of a run that has just ended.

    Args:
        root: The project.
        metrics_files: Where the run leaves metrics, as in the evaluation.
        before: How these places were before it (`metrics_places.marks`).
        tagged: What tagged cells reported while they ran.
        notebook: The executed notebook; None for scripts.
        printed: Tells what was printed; asked only where something there counts.
    """
    entries = tuple(metrics_files)
    found = read_places(root, entries, before)
    found.extend(tagged)
    if notebook is not None:
        found.extend(displayed_metrics(notebook))
    wanted = [entry for entry in entries if is_printed(entry)]
    if wanted:
        found.extend(read_printed(wanted, printed()))
    return merge(found)


def read_answer(reply: Mapping[str, Any] | None, key: str, number: int) -> Found:
    """The hook's answer about the tagged cell `number`, out of an execute_reply's `user_expressions`."""
    found = Found()
    answer = (reply or {}).get("content", {}).get("user_expressions", {}).get(key, {})
    if answer.get("status") != "ok":
        reason = f"{answer.get('ename', 'no answer')}: {answer.get('evalue', '')}".rstrip(": ")
        found.problems.append(f"cell:{number}: the kernel could not tell the values of this cell ({reason})")
        return found
    data = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    found.metrics += [MeasuredMetric(name, decode_value(value), f"cell:{number}") for name, value in data["metrics"]]
    found.problems += [f"cell:{number}: metric {problem}" for problem in data["problems"]]
    found.warnings += [no_value(f"cell:{number}", name, "None") for name in data["empty"]]
    found.warnings += _left_out(found, data["ending"], data["skipped"], f"cell {number} is tagged {TAG}")
    return found


def _left_out(found: Found, ending: str, skipped: list[str], cell: str) -> Iterator[str]:
    """What a tagged cell has but doesn't report, and how it would."""
    if ending and found.metrics:
        yield f"{cell} but the {ending} that it ends in was not taken; {_CURE}"
    elif ending:
        article = "an" if ending[0] in "aeiouAEIOU" else "a"
        yield f"{cell} but ends in {article} {ending}; {_CURE}"
    elif not (found.metrics or found.problems or found.warnings or skipped):
        yield f"{cell} but neither ends in a mapping nor assigns a number"
    if skipped:
        yield f"{cell} but {', '.join(skipped)} {'was' if len(skipped) == 1 else 'were'} not taken; {_CURE}"
