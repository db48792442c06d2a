"""Delimited text: comma, semicolon, tab or bar, compressed or not, with or without a header line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
import operator
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .columns import CELLS, Column, NotATableError, Numbers, most_numbers

NULLS = frozenset(
    [
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "NAN",
        "None",
        "n/a",
        "nan",
        "null",
        "",
    ]
)
"""Texts that stand for no value, as pandas takes them; the empty one is among them."""
_BOOLEANS = frozenset(["True", "False", "TRUE", "FALSE", "true", "false"])
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$")
_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 16 << 20


class TextColumn(Column):
    """A column of texts, whose type is whatever all of them can be read as."""

    def __init__(self, name: str, most: int) -> None:
        super().__init__(name, most)
        self._values = 0
        self._maybe = ["boolean", "integer", "number", "time"]

    def add(self, values: Sequence[str]) -> None:
        """Take the next texts."""
        found = set(values)
        nulls = found & NULLS
        if nulls:
            values = [value for value in values if value not in nulls]
            found -= nulls
        self._values += len(values)
        self.see_distinct(found)
        if "boolean" in self._maybe and not found <= _BOOLEANS:
            self._maybe.remove("boolean")
        if "time" in self._maybe and not all(map(_TIME.match, found)):
            self._maybe.remove("time")
        if "number" in self._maybe:
            self._add_numbers(values, found)

    def _add_numbers(self, values: Sequence[str], found: set[str]) -> None:
        numbers = None if "_" in "".join(found) else _read(float, values)  # Python takes 2020_01 for a number
        if numbers is None:
            self._maybe = [kind for kind in self._maybe if kind not in ("integer", "number")]
            self.numbers = Numbers(1)
            return
        self.numbers.add(array("d", numbers))
        if "integer" in self._maybe and _read(int, found) is None:
            self._maybe.remove("integer")

    def finished(self, rows: int) -> dict[str, Any]:
        """The column as JSON."""
        self.nulls = rows - self._values
        kind = next(iter(self._maybe), "text") if self._values else "other"
        return self.described(kind)


def profile(place: str, compression: str, check: Callable[[], None]) -> dict[str, Any]:
    """A table's rows and columns; `check` is called again and again and may raise."""
    csv.field_size_limit(_LONGEST_FIELD)
    with _opened(place, compression) as stream:
        start = stream.read(2)
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with _opened(place, compression) as raw:
        stream_of_text = io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape", newline="")
        first = stream_of_text.readline()
        lines = itertools.chain([first], stream_of_text)
        rows = filter(None, csv.reader(lines, delimiter=max(_DELIMITERS, key=first.count)))
        begin = list(itertools.islice(rows, 2))
        if not begin:
            msg = "it is empty"
            raise NotATableError(msg)
        has_names = _is_header(begin[0], begin[-1])
        names = begin[0] if has_names else [str(number) for number in range(1, len(begin[0]) + 1)]
        return _read_rows(itertools.chain(begin[has_names:], rows), names, check)


def _opened(place: str, compression: str) -> Any:
    if compression == "gz":
        return gzip.open(place, "rb")
    if compression == "bz2":
        return bz2.open(place, "rb")
    return lzma.open(place, "rb") if compression == "xz" else Path(place).open("rb")


def _read_rows(rows: Iterator[list[str]], names: list[str], check: Callable[[], None]) -> dict[str, Any]:
    """All rows, some at a time. Missing fields are nulls, those beyond the header are passed over."""
    most, width, count = most_numbers(names), len(names), 0
    columns = [TextColumn(name, most) for name in names]
    while batch := list(itertools.islice(rows, max(1, CELLS // width))):
        check()
        count += len(batch)
        if set(map(len, batch)) != {width}:
            batch = [row[:width] + [""] * (width - len(row)) for row in batch]
        for index, column in enumerate(columns):
            column.add(list(map(operator.itemgetter(index), batch)))
    return {"rows": count, "columns": [column.finished(count) for column in columns]}


def _is_header(first: list[str], second: list[str]) -> bool:
    """Whether a first row is names: it has no numbers, or a text of it stands over a number."""
    numbers = [_read(float, [text]) is not None for text in first]
    below = [_read(float, [text]) is not None for text in second]
    return not any(numbers) or any(under and not numbers[index] for index, under in enumerate(below[: len(first)]))


def _read(number: Callable[[str], Any], texts: Any) -> list[Any] | None:
    """All texts as numbers; None when one is none."""
    try:
        return list(map(number, texts))
    except ValueError:
        return None
