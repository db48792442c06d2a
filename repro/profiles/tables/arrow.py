"""Parquet, Feather, and Arrow's own formats for files and streams, by pyarrow; it may do without NumPy."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from .columns import CELLS, MOST_DISTINCT, Column, most_numbers

pa: Any = import_module("pyarrow")  # of the Python that runs this, never a dependency of ours
pc: Any = import_module("pyarrow.compute")

_KINDS: dict[str, tuple[Callable[[Any], bool], ...]] = {
    "integer": (pa.types.is_integer,),
    "number": (pa.types.is_floating, pa.types.is_decimal),
    "boolean": (pa.types.is_boolean,),
    "text": (pa.types.is_string, pa.types.is_large_string),
    "time": (pa.types.is_temporal,),
}


class ArrowColumn(Column):
    """A column whose type its file knows."""

    def __init__(self, field: Any, most: int) -> None:
        super().__init__(field.name, most)
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        self._kind = next((name for name, tests in _KINDS.items() if any(test(kind) for test in tests)), "other")

    def add(self, values: Any) -> None:
        """Take the next values, an Arrow array."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        self.nulls += values.null_count
        values = values.drop_null()
        if self._kind == "other":
            self.ignore_distinct()
            return
        if self._kind in ("integer", "number"):
            every = values.cast(pa.float64(), safe=False)
            values = every.filter(pc.invert(pc.is_nan(every)))
            self.nulls += len(every) - len(values)
            self.numbers.add(_doubles(values))
        if self.counts_distinct:
            self.see_distinct(pc.unique(values).slice(0, MOST_DISTINCT + 1).to_pylist())

    def finished(self) -> dict[str, Any]:
        """The column as JSON."""
        return self.described(self._kind)


def profile(place: str, kind: str, check: Callable[[], None]) -> dict[str, Any]:
    """A table's rows and columns; `check` is called again and again and may raise."""
    with pa.memory_map(place) as source:
        schema, batches = _parquet(source) if kind == "parquet" else _ipc(source)
        most, count = most_numbers(schema.names), 0
        columns = [ArrowColumn(field, most) for field in schema]
        for batch in batches:
            for start in range(0, batch.num_rows, CELLS):
                check()
                piece = batch.slice(start, CELLS)
                count += piece.num_rows
                for index, column in enumerate(columns):
                    column.add(piece.column(index))
        return {"rows": count, "columns": [column.finished() for column in columns]}


def _parquet(source: Any) -> tuple[Any, Iterator[Any]]:
    file = import_module("pyarrow.parquet").ParquetFile(source)
    schema = file.schema_arrow
    return schema, file.iter_batches(batch_size=max(1, CELLS // max(1, len(schema))))


def _ipc(source: Any) -> tuple[Any, Iterator[Any]]:
    begin = source.read(6)
    source.seek(0)
    if begin.startswith(b"FEA1"):
        table = import_module("pyarrow.feather").read_table(source)
        return table.schema, iter(table.to_batches())
    if begin == b"ARROW1":
        file = pa.ipc.open_file(source)
        return file.schema, (file.get_batch(index) for index in range(file.num_record_batches))
    stream = pa.ipc.open_stream(source)
    return stream.schema, iter(stream)


def _doubles(values: Any) -> array[float]:
    """An Arrow array of doubles without nulls as Python's."""
    found = array("d")
    if len(values):
        start = values.offset * found.itemsize
        found.frombytes(memoryview(values.buffers()[1])[start : start + len(values) * found.itemsize])
    return found
