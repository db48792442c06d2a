"""Which code cell of an executed notebook is the first whose outputs differ from those of another run of it."""

import base64
import binascii
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.outputs.sanitize import sanitized

_MOST_SHOWN = 160
_MARKUP = ("text/html", "image/svg+xml", "application/javascript")


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """A place where two runs show something different.

    Attributes:
        cell: Number of the code cell, from 1; None for a script.
        title: The cell's first line that isn't empty, or "".
        kind: What differs: `stdout`, `stderr`, `error` or a MIME type.
        line: Line of that output where it begins to differ, from 1; None for images and other bytes.
        baseline: What the first run shows there, "" for nothing.
        other: What the other run shows there.
    """

    cell: int | None
    title: str
    kind: str
    line: int | None
    baseline: str
    other: str


def output_differences(baseline: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[OutputDifference]:
    """Each code cell that shows something different in two executed copies of one notebook, the first place of each.

    What differs in every run is passed over (see `repro.outputs.sanitize`); pictures are compared byte by byte.
    """
    for number, (one, two) in enumerate(zip(_code_cells(baseline), _code_cells(other), strict=False), 1):
        found = _cell_difference(_outputs(one), _outputs(two))
        if found is not None:
            kind, line, left, right = found
            yield OutputDifference(number, _title(one), kind, line, left, right)


def cell_text(notebook: Mapping[str, Any], number: int) -> str | None:
    """What a code cell, counted from 1, shows as text: what it printed, and its values; None without such a cell.

    Warnings and progress on standard error, errors, and pictures are left out.
    """
    cells = _code_cells(notebook)
    if not 1 <= number <= len(cells):
        return None
    texts = (_shown_text(output) for output in cells[number - 1].get("outputs", []))
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)


def _shown_text(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _text(output["text"]) if output["name"] == "stdout" else ""
    return _text(output.get("data", {}).get("text/plain", ""))


def text_difference(baseline: str, other: str) -> OutputDifference | None:
    """The first line that differs in what two runs of a script printed."""
    found = first_line(sanitized(baseline), sanitized(other))
    return None if found is None else OutputDifference(None, "", "output", *found)


def _code_cells(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _title(cell: Mapping[str, Any]) -> str:
    return next((line.strip() for line in _text(cell["source"]).splitlines() if line.strip()), "")


def _outputs(cell: Mapping[str, Any]) -> dict[tuple[str, int], object]:
    """Sanitized outputs by kind, and by number of that kind: the order of kinds among each other is left to chance."""
    streams: dict[str, str] = {}
    shown: dict[tuple[str, int], object] = {}
    counts: dict[str, int] = {}
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + _text(output["text"])
            continue
        for kind, data in _data(output):
            counts[kind] = counts.get(kind, -1) + 1
            shown[kind, counts[kind]] = _comparable(kind, data)
    return {**{(name, 0): sanitized(text) for name, text in sorted(streams.items())}, **shown}


def _data(output: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    if output["output_type"] == "error":
        yield "error", f"{output['ename']}: {output['evalue']}"
    else:
        yield from output.get("data", {}).items()


def _comparable(kind: str, data: object) -> object:
    """Text for what is text, bytes for the rest."""
    if isinstance(data, str | list) and not kind.endswith("json"):
        text = _text(data)
        if kind.startswith(("text/", "error")) or kind in _MARKUP:
            return sanitized(text, markup=kind in _MARKUP)
        return _bytes(text)
    return sanitized(json.dumps(data, sort_keys=True, indent=1))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except binascii.Error:
        return text.encode("utf-8", "surrogatepass")


def _text(lines: object) -> str:
    """One text, or its lines: notebooks have both."""
    return "".join(lines) if isinstance(lines, list) else str(lines)


def _cell_difference(
    baseline: Mapping[tuple[str, int], object], other: Mapping[tuple[str, int], object]
) -> tuple[str, int | None, str, str] | None:
    """Kind, line and both outputs of the first difference."""
    for key in dict.fromkeys((*baseline, *other)):
        left, right = baseline.get(key, ""), other.get(key, "")
        if left == right:
            continue
        if isinstance(left, str) and isinstance(right, str):
            found = first_line(left, right)
            if found is not None:
                return (key[0], *found)
        else:
            return key[0], None, _shown_bytes(left), _shown_bytes(right)
    return None


def first_line(baseline: str, other: str) -> tuple[int, str, str] | None:
    """Number, from 1, and both texts of the first line that differs; spaces at its end don't count."""
    pairs: Sequence[tuple[str, str]] = list(
        itertools.zip_longest(baseline.splitlines(), other.splitlines(), fillvalue="")
    )
    for number, (left, right) in enumerate(pairs, 1):
        if left.rstrip() != right.rstrip():
            return number, *_around(left, right)
    return None


def _around(left: str, right: str) -> tuple[str, str]:
    """Two lines, cut to where they differ when they are long."""
    if max(len(left), len(right)) <= _MOST_SHOWN:
        return left.strip(), right.strip()
    common = next((index for index, (one, two) in enumerate(zip(left, right, strict=False)) if one != two), 0)
    start = max(common - _MOST_SHOWN // 3, 0)
    before = "…" if start else ""
    return before + left[start : start + _MOST_SHOWN], before + right[start : start + _MOST_SHOWN]


def _shown_bytes(data: object) -> str:
    if not isinstance(data, bytes):
        return str(data)[:_MOST_SHOWN]
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]}"
