"""Where in a notebook's file each line of its cells is written: code hosts show files, not cells."""

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


def cell_lines(text: str) -> list[list[int]]:
    """For each cell of a notebook in format 4 the file's line, from 1, of each line of its source.

    Args:
        text: The file, valid JSON.

    Returns:
        One list for each cell, code or not; none for other formats.
    """
    cells: dict[int, list[int]] = {}
    for path, token, line in _strings(text):
        match path:
            case ["cells", int(cell), "source", *_]:
                parts = json.loads(token).split("\n")
                lines = cells.setdefault(cell, [line])
                lines[-1] = line  # a line that an earlier text left unfinished, or empty, goes on here
                lines.extend([line] * (len(parts) - 1))
    return [cells.get(number, []) for number in range(max(cells, default=-1) + 1)]


def _strings(text: str) -> Iterator[tuple[list[str | int], str, int]]:
    """Every text that is a value: its path, itself as written, and its line."""
    path: list[str | int] = []
    kinds: list[str] = []
    line, seen, key = 1, 0, False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        line += text.count("\n", seen, token.start())
        seen = token.start()
        if mark in "{[":
            kinds.append(mark)
            path.append(0 if mark == "[" else "")
            key = mark == "{"
        elif mark in "}]":
            kinds.pop()
            path.pop()
        elif mark == ",":
            key = kinds[-1] == "{"
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else ""
        elif mark == ":":
            key = False
        elif key:
            path[-1] = json.loads(mark)
        else:
            yield path, mark, line
