"""Files → tables: delimited text and JSON records by the standard library, Parquet and Feather by pyarrow."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from repro.outputs.kinds import DELIMITERS, PARQUET, RECORDS
from repro.outputs.limits import MOST_CELLS, MOST_COLUMNS
from repro.outputs.model import UnreadableError
from repro.outputs.tables import Cell, Column, Table

_NULLS = frozenset(["", "nan", "NaN", "NAN", "NA", "N/A", "<NA>", "null", "NULL", "None"])
"""Texts that stand for no value in a column of numbers or truth values."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,3999})", re.ASCII)
"""Without leading zeros, which codes and numbers of accounts have; and of a length that Python reads."""
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"[+-]?0[0-9]+", re.ASCII)
_BOOLEANS = {"True": True, "False": False, "true": True, "false": False, "TRUE": True, "FALSE": False}


def read_table(path: Path, suffix: str) -> Table:
    """A table from a file.

    Raises:
        UnreadableError: It isn't one, or is too large.
        OSError: It can't be read.
    """
    if suffix in DELIMITERS:
        return _delimited(decoded(path.read_bytes()), DELIMITERS[suffix])
    if suffix in RECORDS:
        return _records(decoded(path.read_bytes()), lines=suffix != ".json")
    return _arrow(path, parquet=suffix in PARQUET)


def decoded(data: bytes) -> str:
    """Text: UTF-8, or UTF-16 where its first bytes say so; what is neither is kept as escapes, so that it compares."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, "backslashreplace")


def _delimited(text: str, delimiter: str) -> Table:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # for the whole process: it only grows
    if delimiter == "," and ";" in (head := text.partition("\n")[0]) and "," not in head:
        delimiter = ";"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, None)
        if header is None:
            return Table((), 0)
        rows = list(_rows(reader, len(header)))
    except csv.Error as error:
        raise UnreadableError(f"it is no table: {error}") from error
    columns: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else ([] for _ in header)
    return _table((_typed(name, cells) for name, cells in zip(header, columns, strict=True)), len(rows))


def _rows(reader: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Rows of the header's width. Raises UnreadableError for one that is longer, or for too many."""
    left = MOST_CELLS
    if width > MOST_COLUMNS:
        raise UnreadableError(f"it has more than {MOST_COLUMNS} columns")
    for number, row in enumerate(reader, 1):
        left -= max(width, 1)
        if left < 0:
            raise UnreadableError(f"it has more than {MOST_CELLS} cells")
        if not row:
            continue
        if len(row) > width:
            raise UnreadableError(f"row {number} has {len(row)} fields, the header has {width}")
        yield row + [""] * (width - len(row))


def _table(columns: Iterable[Column], rows: int) -> Table:
    """A table whose columns have each a name of its own: of those that share one, the second is `name (2)`."""
    named: dict[str, Column] = {}
    for column in columns:
        name, number = column.name, 1
        while name in named:
            number += 1
            name = f"{column.name} ({number})"
        named[name] = Column(name, column.kind, column.cells)
    return Table(tuple(named.values()), rows)


def _typed(name: str, texts: Sequence[str]) -> Column:
    """A column of texts as what all of them can be read as."""
    found = set(texts) - _NULLS
    if not found:
        return Column(name, "empty", [None] * len(texts))
    read: Callable[[str], Cell]
    if found <= _BOOLEANS.keys():
        kind, read = "boolean", _BOOLEANS.__getitem__
    elif all(map(_INTEGER.fullmatch, found)):
        kind, read = "integer", int
    elif all(map(_is_float, found)):
        kind, read = "number", float
    else:
        return Column(name, "text", texts)
    values: dict[str, Cell] = {text: read(text) for text in found}
    return Column(name, kind, [values.get(text) for text in texts])


def _is_float(text: str) -> bool:
    """Whether a text is a number that a float holds; one that is too large would be equal to all others that are."""
    if not _NUMBER.fullmatch(text) or _CODE.fullmatch(text):
        return False
    return "n" in text.lower() or math.isfinite(float(text))


def _records(text: str, *, lines: bool) -> Table:
    try:
        data = [_json(line) for line in text.splitlines() if line.strip()] if lines else _json(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"it is no JSON: {error}") from error
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        return _table(_leaves(data), len(list(_flat("", data))))
    names = list(dict.fromkeys(name for one in data for name in one))
    if len(names) > MOST_COLUMNS or len(names) * len(data) > MOST_CELLS:
        raise UnreadableError(f"it has more than {MOST_COLUMNS} columns or {MOST_CELLS} cells")
    return _table((_column(name, [one.get(name) for one in data]) for name in names), len(data))


def _json(text: str) -> Any:
    return json.loads(text, parse_int=_integer)


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _leaves(data: object) -> Iterator[Column]:
    """Any other JSON: a column of places and one of the values there."""
    flat = list(_flat("", data))
    yield Column("place", "text", [place for place, _ in flat])
    yield _column("value", [value for _, value in flat])


def _flat(place: str, data: object) -> Iterator[tuple[str, object]]:
    items: Iterable[tuple[object, object]]
    if isinstance(data, Mapping) and data:
        items = sorted(data.items())
    elif isinstance(data, list) and data:
        items = enumerate(data)
    else:
        yield place, data
        return
    for name, value in items:
        yield from _flat(f"{place}.{name}" if place else str(name), value)


def _column(name: str, values: Sequence[object]) -> Column:
    cells = list(map(_cell, values))
    kinds = {_KINDS[type(cell)] for cell in cells if cell is not None}
    return Column(name, " or ".join(sorted(kinds)) or "empty", cells)


_KINDS = {bool: "boolean", int: "integer", float: "number", str: "text"}


def _cell(value: object) -> Cell:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return f"bytes {value.hex()}"
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return str(value)


def _arrow(path: Path, *, parquet: bool) -> Table:
    try:
        pa = import_module("pyarrow")
        from_file = import_module("pyarrow.parquet" if parquet else "pyarrow.feather")
    except ImportError as error:
        raise UnreadableError("pyarrow isn't installed beside repro: `pip install 'repro[outputs]'`") from error
    try:
        return _arrow_table(pa, from_file.ParquetFile(path) if parquet else None, path, from_file)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UnreadableError(f"it is no {'Parquet' if parquet else 'Feather'} file: {_line(error)}") from error


def _arrow_table(pa: Any, file: Any, path: Path, feather: Any) -> Table:
    """Read what is small enough, told by its metadata first where it has some."""
    if file is not None:
        _check_size(file.metadata.num_rows, len(file.schema_arrow))
    table = feather.read_table(path, memory_map=True) if file is None else file.read()
    _check_size(table.num_rows, table.num_columns)
    columns = zip(table.schema, table.columns, strict=True)
    return _table((_arrow_column(pa, field, cells) for field, cells in columns), table.num_rows)


def _check_size(rows: int, columns: int) -> None:
    if columns > MOST_COLUMNS or rows * max(columns, 1) > MOST_CELLS:
        raise UnreadableError(f"it has more than {MOST_COLUMNS} columns or {MOST_CELLS} cells")


def _arrow_column(pa: Any, field: Any, values: Any) -> Column:
    """A column whose type its file knows; another type of the same kind (int32, int64) is another type."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return Column(field.name, str(kind), list(map(_cell, map(_plain, values.to_pylist()))))
    return Column(field.name, str(kind), list(map(_cell, values.to_pylist())))


def _plain(value: object) -> object:
    """Texts and what JSON has as they are, moments and decimals as their texts."""
    return value if value is None or isinstance(value, bool | int | float | str | bytes | list | dict) else str(value)


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
