"""Tables side by side: rows by key or order, columns by name, cells by type. Pure; nothing is read here."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, starmap

from repro.outputs.model import Content, Tolerance, cut, shown, shown_name
from repro.words import count

Cell = bool | int | float | str | None
"""None is a missing value, and NaN."""

_MOST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type (`number`, `integer`, `boolean`, `text`, `empty`, …), and its cells."""

    name: str
    kind: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length, each name once."""

    columns: tuple[Column, ...]
    rows: int

    def by_name(self) -> dict[str, Column]:
        """Its columns by their names."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Which row of the laptop's table is which one here, and those that only one side has."""

    pairs: Sequence[tuple[int, int]]
    missing: Sequence[int] = ()
    added: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Difference:
    """How a column differs: rows beyond the tolerance, how many within it, and the largest distance of all numbers."""

    column: str
    beyond: tuple[tuple[int, int], ...]
    within: int
    worst: tuple[int, int] | None
    distance: float


def compare_tables(baseline: Table, here: Table, tolerance: Tolerance, key: Sequence[str] = ()) -> Content:
    """Compare two tables.

    Floats may differ by the tolerance; whole numbers, truth values, texts and all else are compared exactly. Where both
    sides have no value, or NaN, they are equal. The order of columns doesn't count, that of rows only without a key.
    """
    left, right = baseline.by_name(), here.by_name()
    lost = [name for name in key if name not in left or name not in right]
    if lost:
        return Content("moved", f"no column {', '.join(map(shown_name, lost))} to tell rows by")
    rows = _aligned(baseline, here, key)
    names = _Names(baseline, here, key)
    both = [name for name in left if name in right]
    found = [_column_difference(left[name], right[name], rows.pairs, tolerance) for name in both]
    shape = [*_columns_told(left, right), *_rows_told(rows, names)]
    beyond = [one for one in found if one.beyond]
    lines = [*shape, *chain.from_iterable(_told(one, left, right, names) for one in beyond)]
    lines += _moved_samples(baseline, here, key) if not shape else []
    if shape or beyond:
        return Content("moved", _summary(found, len(rows.pairs) * len(both), shape), cut(lines))
    return _agreement(found, baseline)


def _agreement(found: Sequence[_Difference], baseline: Table) -> Content:
    within = sum(one.within for one in found)
    size = f"{count(baseline.rows, 'row')} and {count(len(baseline.columns), 'column')}"
    if not within:
        return Content("same", f"the same content in other bytes: {size}")
    largest = max(found, key=lambda one: one.distance)
    return Content(
        "within",
        f"{count(within, 'cell')} of {size} differ within the tolerance, by {largest.distance:.3g} at most",
    )


def _summary(found: Sequence[_Difference], cells: int, shape: Sequence[str]) -> str:
    differing = [one for one in found if one.beyond]
    parts = [shape[0]] if shape else []
    if differing:
        number = sum(len(one.beyond) for one in differing)
        columns = ", ".join(shown_name(one.column) for one in differing[:_MOST_ROWS])
        more = "" if len(differing) <= _MOST_ROWS else f" and {len(differing) - _MOST_ROWS} more"
        parts.append(f"{number} of {count(cells, 'cell')} differ, in {columns}{more}")
    return "; ".join(parts)


class _Names:
    """What rows are called: by their keys, or by their numbers from 1."""

    def __init__(self, baseline: Table, here: Table, key: Sequence[str]) -> None:
        self._key = [(name, baseline.by_name()[name].cells, here.by_name()[name].cells) for name in key]

    def of(self, row: int, *, here: bool = False) -> str:
        if not self._key:
            return f"row {row + 1}"
        return ", ".join(f"{shown_name(name)}={shown(sides[here][row])}" for name, *sides in self._key)

    def first(self, rows: Sequence[int], *, here: bool = False) -> str:
        more = f", and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
        return "; ".join(self.of(row, here=here) for row in rows[:_MOST_ROWS]) + more


def _aligned(baseline: Table, here: Table, key: Sequence[str]) -> _Rows:
    if not key:
        common = min(baseline.rows, here.rows)
        pairs = [(row, row) for row in range(common)]
        return _Rows(pairs, range(common, baseline.rows), range(common, here.rows))
    left, right = _keyed(baseline, key), _keyed(here, key)
    pairs = [(row, right[one]) for one, row in left.items() if one in right]
    missing = [row for one, row in left.items() if one not in right]
    return _Rows(pairs, missing, [row for one, row in right.items() if one not in left])


def _keyed(table: Table, key: Sequence[str]) -> dict[tuple[object, ...], int]:
    """Rows by their keys; of those with one and the same, the first is the first and the second the second."""
    columns = table.by_name()
    seen: Counter[tuple[Cell, ...]] = Counter()
    rows = {}
    for row, one in enumerate(zip(*(columns[name].cells for name in key), strict=True)):
        seen[one] += 1
        rows[*one, seen[one]] = row
    return rows


def _columns_told(left: dict[str, Column], right: dict[str, Column]) -> Iterator[str]:
    missing = [shown_name(name) for name in left if name not in right]
    added = [shown_name(name) for name in right if name not in left]
    if missing:
        yield f"{count(len(missing), 'column')} missing: {', '.join(missing[:_MOST_ROWS])}"
    if added:
        yield f"{count(len(added), 'column')} more than on the laptop: {', '.join(added[:_MOST_ROWS])}"
    for name, column in left.items():
        if name in right and right[name].kind != column.kind:
            yield f"column {shown_name(name)} is {right[name].kind}, on the laptop {column.kind}"


def _rows_told(rows: _Rows, names: _Names) -> Iterator[str]:
    if rows.missing:
        yield f"{count(len(rows.missing), 'row')} missing: {names.first(rows.missing)}"
    if rows.added:
        yield f"{count(len(rows.added), 'row')} more than on the laptop: {names.first(rows.added, here=True)}"


def _column_difference(
    left: Column, right: Column, pairs: Sequence[tuple[int, int]], tolerance: Tolerance
) -> _Difference:
    beyond, within, worst, largest = [], 0, None, -1.0
    ours, theirs = left.cells, right.cells
    retyped = left.kind != right.kind
    for before, now in pairs:
        one, other = ours[before], theirs[now]
        if one == other if type(one) is type(other) else retyped and _reads_alike(one, other):
            continue
        distance = _distance(one, other)
        if distance > largest:
            worst, largest = (before, now), distance
        if isinstance(one, float) and isinstance(other, float) and tolerance.holds(one, other):
            within += 1
        else:
            beyond.append((before, now))
    return _Difference(left.name, tuple(beyond), within, worst, largest)


def _reads_alike(one: Cell, other: Cell) -> bool:
    """Whether two cells of columns that have another type are one value: that the type is another is told by itself."""
    return one == other or str(one) == str(other)


def _distance(one: Cell, other: Cell) -> float:
    """Between two numbers; infinite where it is beyond floats, -1 where there is none."""
    if isinstance(one, bool | str | None) or isinstance(other, bool | str | None):
        return -1.0
    try:
        distance = abs(float(other - one))
    except OverflowError:
        return math.inf
    return distance if distance == distance else math.inf  # noqa: PLR0124 - what makes a NaN: inf less inf


def _told(one: _Difference, left: dict[str, Column], right: dict[str, Column], names: _Names) -> Iterator[str]:
    ours, theirs = left[one.column].cells, right[one.column].cells
    number = f"{shown_name(one.column)}: {len(one.beyond)} of {len(ours)} differ"
    if one.worst is not None:
        row, now = one.worst
        number += f", most in {names.of(row)} by {one.distance:.6g}: {shown(ours[row])}, here {shown(theirs[now])}"
    changes = (
        f"{names.of(row)}: {shown(ours[row])}, here {shown(theirs[now])}" for row, now in one.beyond[:_MOST_ROWS]
    )
    more = f"; and {len(one.beyond) - _MOST_ROWS} more" if len(one.beyond) > _MOST_ROWS else ""
    yield number
    yield f"  {'; '.join(changes)}{more}"


def _moved_samples(baseline: Table, here: Table, key: Sequence[str]) -> Iterator[str]:
    """Where a square of counts has the same sum on both sides, as a confusion matrix has: how many samples moved."""
    ours, theirs = ([one for one in side.columns if one.kind == "integer" and one.name not in key]
                    for side in (baseline, here))  # fmt: skip
    counts = [list(chain.from_iterable(column.cells for column in side)) for side in (ours, theirs)]
    line = moved_samples(*counts)
    if len(ours) == len(theirs) == baseline.rows and line:
        yield line


def moved_samples(before: Sequence[Cell], now: Sequence[Cell]) -> str:
    """`2 of 200 samples moved` where two lists of counts have the same sum, else ""."""
    if len(before) != len(now) or not all(isinstance(one, int) and one >= 0 for one in chain(before, now)):
        return ""
    total, pairs = sum(before), zip(before, now, strict=True)  # type: ignore[arg-type] # integers
    moved = sum(starmap(lambda one, other: abs(other - one), pairs)) // 2
    same = total == sum(now)  # type: ignore[arg-type]
    return f"as counts: {moved} of {count(total, 'sample')} moved to other cells" if same and moved else ""
