"""Metrics in what was printed, for those who ask for it: named patterns, and scikit-learn's reports.

Both travel among the metrics files of evaluation and lock, as entries that begin with `printed:`.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union
from urllib.parse import unquote

from .documents import Value
from .found import PRINTED, Found, PrintedFloat
from .metrics_outputs import code_cells

REPORTS = f"{PRINTED}reports"
_SCORES = ("precision", "recall", "f1-score", "support")
_HEADER = re.compile(r"[ \t]*precision[ \t]+recall[ \t]+f1-score[ \t]+support[ \t]*")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)"
_ROW = re.compile(rf"[ \t]*(\S.*?)((?:[ \t]+{_NUMBER}){{4}}|(?<=accuracy)(?:[ \t]+{_NUMBER}){{2}})[ \t]*")
_TOTALS = ("accuracy", "micro avg", "macro avg", "weighted avg", "samples avg")
_BLANKS = 2
"""Lines without text in a report: below the header and below the classes."""

_MATRIX = re.compile(r"\[\[[\d\s,\[\]]*\]\]")
_INT = re.compile(r"[-+]?\d+")
_LONGEST_EXPONENT = len("+308")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Printed:
    """What one cell printed, or a script: its text, its source, and where it is."""

    text: str
    source: str
    place: str


def is_printed(entry: str) -> bool:
    """Whether an entry among metrics files is about what was printed."""
    return entry.startswith(PRINTED)


def pattern_entry(name: str, pattern: str) -> str:
    """A pattern as an entry among metrics files: readable, but a path without folders."""
    return f"{PRINTED}{_escaped(name, '%/=')}={_escaped(pattern, '%/')}"


def read_printed(entries: Iterable[str], printed: Iterable[Printed]) -> Found:
    """What the patterns and reports among `entries` find. A pattern that finds nothing is warned about."""
    found = Found()
    texts = list(printed)
    for entry in entries:
        name, equals, pattern = entry[len(PRINTED) :].partition("=")
        if equals:
            _add_pattern(found, unquote(name), unquote(pattern), texts)
        elif entry == REPORTS:
            _add_reports(found, "classification_report", texts, lambda one: _reports(one.text))
            _add_reports(found, "confusion_matrix", texts, _matrices)
    return found


def printed_cells(notebook: Mapping[str, Any]) -> Iterator[Printed]:
    """What each code cell printed and showed as text."""
    for number, cell in code_cells(notebook):
        texts = [
            output["text"] if output["output_type"] == "stream" else output.get("data", {}).get("text/plain", "")
            for output in cell.get("outputs", [])
        ]
        yield Printed("\n".join("".join(text) for text in texts), "".join(cell["source"]), f"{PRINTED}{number}")


def printed_script(log: Path, subject: Path) -> Printed:
    """What a script printed, out of its log."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return Printed(text, subject.read_text(encoding="utf-8", errors="replace"), f"{PRINTED}{log.name}")


def _escaped(text: str, special: str) -> str:
    return "".join(f"%{ord(one):02X}" if one in special or one < " " else one for one in text)


def _add_pattern(found: Found, name: str, pattern: str, printed: Iterable[Printed]) -> None:
    """The last match counts, as when a loop prints the same line again and again; named groups are names below it."""
    last: Optional[tuple[re.Match[str], str]] = None
    for one in printed:
        for match in re.finditer(pattern, one.text, re.MULTILINE):
            last = match, one.place
    if last is None:
        found.warnings.append(f"metrics.patterns.{name}: nothing that was printed matches {pattern!r}")
        return
    match, place = last
    named = {f"{name}.{group}": text for group, text in match.groupdict().items() if text is not None}
    for metric, text in (named or {name: match.group(1 if match.re.groups else 0)}).items():
        if text is not None:
            found.add(metric, _value(text.strip()), place)


def _value(text: str) -> Union[Value, PrintedFloat]:
    if _INT.fullmatch(text):
        return int(text)
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    mantissa, _, exponent = text.lower().partition("e")
    if not math.isfinite(value) or len(exponent) > _LONGEST_EXPONENT:
        return value
    return PrintedFloat(value, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _add_reports(found: Found, name: str, printed: Iterable[Printed], read: Callable[[Printed], Iterable[Any]]) -> None:
    """All of one kind; several are numbered in the order in which they were printed."""
    reports = [(report, one.place) for one in printed for report in read(one)]
    for index, (report, place) in enumerate(reports):
        found.add(name if len(reports) == 1 else f"{name}[{index}]", report, place)


def _reports(text: str) -> Iterator[dict[str, Any]]:
    """Each `classification_report` as its `output_dict=True` names it, with the digits that were printed."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if _HEADER.fullmatch(line):
            report = _rows(lines[index + 1 :])
            if report:
                yield report


def _rows(lines: Iterable[str]) -> dict[str, Any]:
    """The rows below a header: a blank line, classes, a blank line, totals. Anything else ends it."""
    report: dict[str, Any] = {}
    blanks = 0
    for line in lines:
        row = _ROW.fullmatch(line)
        blanks += not line.strip()
        if blanks > _BLANKS or (line.strip() and (row is None or (blanks == _BLANKS and row[1] not in _TOTALS))):
            break
        if row is not None:
            numbers = [_value(text) for text in row[2].split()]
            several = len(numbers) == len(_SCORES)
            report[row[1]] = {score: numbers[at] for at, score in enumerate(_SCORES)} if several else numbers[0]
    return report


def _matrices(printed: Printed) -> Iterator[list[list[int]]]:
    """Square matrices of counts that were printed where `confusion_matrix` is in the source."""
    if "confusion_matrix" not in printed.source:
        return
    for match in _MATRIX.finditer(printed.text):
        text = re.sub(r"(?<=[\d\]])\s+(?=[\d\[])", ", ", match[0])
        try:
            rows = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            continue
        if all(isinstance(row, list) and len(row) == len(rows) for row in rows):
            yield rows
