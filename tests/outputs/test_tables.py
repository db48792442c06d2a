"""Two tables of the same numbers, and all the ways in which they may not be."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from repro.outputs.model import Content, Tolerance
from repro.outputs.tables import Cell, Column, Table, compare_tables

TOLERANCE = Tolerance(absolute=1e-9, relative=1e-6)
KINDS = {bool: "boolean", int: "integer", float: "number", str: "text"}


def table(**columns: list[Cell]) -> Table:
    def kind(cells: list[Cell]) -> str:
        return next((KINDS[type(cell)] for cell in cells if cell is not None), "empty")

    rows = len(next(iter(columns.values()), []))
    return Table(tuple(Column(name, kind(cells), cells) for name, cells in columns.items()), rows)


def compared(baseline: Table, here: Table, *key: str, tolerance: Tolerance = TOLERANCE) -> Content:
    return compare_tables(baseline, here, tolerance, key)


def test_equal_tables_are_the_same() -> None:
    one = table(id=[1, 2], p=[0.5, None], label=["a", "b"], hit=[True, False])
    assert compared(one, one) == Content("same", "the same content in other bytes: 2 rows and 4 columns")


def test_floats_within_the_tolerance_pass_and_the_largest_distance_is_told() -> None:
    found = compared(table(p=[0.5, 1000.0, 2.0]), table(p=[0.5 + 1e-10, 1000.0005, 2.0]))
    assert (found.status, found.summary) == (
        "within",
        "2 cells of 3 rows and 1 column differ within the tolerance, by 0.0005 at most",
    )


def test_without_a_tolerance_every_bit_counts() -> None:
    found = compared(table(p=[0.5]), table(p=[math.nextafter(0.5, 1)]), tolerance=Tolerance())
    assert found.status == "moved"


def test_the_worst_cell_and_the_first_rows_are_named() -> None:
    found = compared(table(p=[0.5, 0.25, 0.125]), table(p=[0.5, 0.26, 0.5]))
    assert found.summary == "2 of 3 cells differ, in p"
    assert found.details == (
        "p: 2 of 3 differ, most in row 3 by 0.375: 0.125, here 0.5",
        "  row 2: 0.25, here 0.26; row 3: 0.125, here 0.5",
    )


def test_labels_are_compared_exactly_and_flips_are_told_by_key() -> None:
    baseline = table(id=["x", "y", "z"], label=[0, 1, 1])
    found = compared(baseline, table(id=["z", "y", "x"], label=[1, 0, 0]), "id")
    assert found.details == (
        "label: 1 of 3 differ, most in id='y' by 1: 1, here 0",
        "  id='y': 1, here 0",
    )


def test_a_key_makes_the_order_of_rows_nothing_and_without_one_it_counts() -> None:
    baseline, here = table(id=[1, 2], p=[0.1, 0.9]), table(p=[0.9, 0.1], id=[2, 1])
    assert compared(baseline, here, "id").status == "same"
    assert compared(baseline, here).status == "moved"


def test_missing_and_added_rows_are_named_by_their_keys() -> None:
    found = compared(table(id=[1, 2, 3], p=[0.0, 0.0, 0.0]), table(id=[1, 3, 4], p=[0.0, 0.0, 0.0]), "id")
    assert found.status == "moved"
    assert found.details == ("1 row missing: id=2", "1 row more than on the laptop: id=4")


def test_rows_with_one_key_are_told_apart_by_their_order() -> None:
    baseline = table(id=[1, 1, 2], p=[0.1, 0.2, 0.3])
    assert compared(baseline, table(id=[2, 1, 1], p=[0.3, 0.1, 0.2]), "id").status == "same"
    assert compared(baseline, table(id=[1, 2], p=[0.1, 0.3]), "id").details == ("1 row missing: id=1",)


def test_a_key_that_is_no_column_is_told() -> None:
    found = compared(table(id=[1]), table(other=[1]), "id")
    assert (found.status, found.summary) == ("moved", "no column id to tell rows by")


def test_missing_and_added_columns_and_other_types_fail() -> None:
    found = compared(table(a=[1], b=[1]), table(b=[1.0], c=[1]))
    assert found.details == (
        "1 column missing: a",
        "1 column more than on the laptop: c",
        "column b is number, on the laptop integer",
    )


def test_missing_values_equal_each_other_and_no_number() -> None:
    assert compared(table(p=[1.0, None]), table(p=[1.0, None])).status == "same"
    found = compared(table(p=[1.0, None]), table(p=[1.0, 0.0]))
    assert (found.status, found.details[1]) == ("moved", "  row 2: None, here 0.0")


def test_infinities_need_the_same_sign() -> None:
    assert compared(table(p=[math.inf]), table(p=[math.inf])).status == "same"
    found = compared(table(p=[math.inf, math.inf]), table(p=[-math.inf, 1.0]), tolerance=Tolerance(1e300, 1e300))
    assert found.details[0] == "p: 2 of 2 differ, most in row 1 by inf: inf, here -inf"


def test_huge_whole_numbers_are_compared_exactly() -> None:
    large = 10**400
    assert compared(table(n=[large]), table(n=[large])).status == "same"
    found = compared(table(n=[large]), table(n=[large + 1]))
    assert found.details[0].startswith("n: 1 of 1 differ, most in row 1 by 1: 1000")
    assert compared(table(n=[large]), table(n=[0])).status == "moved"


def test_empty_tables_are_the_same_and_a_table_that_became_empty_is_not() -> None:
    assert compared(Table((), 0), Table((), 0)).status == "same"
    assert compared(table(a=[1]), table(a=[])).details[0] == "column a is empty, on the laptop integer"


def test_a_square_of_counts_with_the_same_sum_tells_how_many_samples_moved() -> None:
    found = compared(table(yes=[50, 3], no=[2, 45]), table(yes=[48, 4], no=[4, 44]))
    assert found.details[-1] == "as counts: 3 of 100 samples moved to other cells"
    assert "as counts" not in " ".join(compared(table(yes=[50, 3]), table(yes=[48, 5])).details)


def test_text_out_of_a_file_steers_no_terminal() -> None:
    found = compared(table(**{"a\x1b[31m": ["x"]}), table(**{"a\x1b[31m": ["\x1b[2J\n"]}))
    assert "\x1b" not in "".join((found.summary, *found.details))


def test_no_more_is_told_than_fits() -> None:
    baseline = table(**{f"c{number}": [0] for number in range(200)})
    found = compared(baseline, table(**{f"c{number}": [1] for number in range(200)}))
    assert len(found.details) == 21
    assert found.details[-1] == "and 380 more"


_CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.booleans(),
    st.text(max_size=4),
    st.floats(allow_nan=False),
)
_ROWS = st.lists(st.tuples(st.integers(0, 3), _CELLS), max_size=8)


def _table(rows: list[tuple[int, Cell]], kind: str = "any") -> Table:
    return Table(
        (Column("id", "integer", [one for one, _ in rows]), Column("v", kind, [v for _, v in rows])), len(rows)
    )


@given(_ROWS, _ROWS)
@settings(deadline=None, max_examples=150)
def test_nothing_is_called_the_same_that_is_not(one: list[tuple[int, Cell]], other: list[tuple[int, Cell]]) -> None:
    typed = [[(key, type(value), value) for key, value in rows] for rows in (one, other)]
    assert (compared(_table(one), _table(other)).status == "same") == (typed[0] == typed[1])
    for key in ((), ("id",)):
        assert compared(_table(one), _table(one), *key).status == "same"


@given(_ROWS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_with_a_key_that_tells_rows_apart_any_order_is_the_same(rows: list[tuple[int, Cell]], random: object) -> None:
    distinct = list({key: (key, value) for key, value in rows}.values())
    shuffled = sorted(distinct, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert compared(_table(distinct), _table(shuffled), "id").status == "same"
