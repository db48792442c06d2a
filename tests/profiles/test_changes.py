"""What changed in data, in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.lock import Column, Profile
from repro.profiles import differences, explain_changes

AGE = Column("age", "integer", 3, None, (18.0, 25.0, 40.0, 55.0, 95.0))
CITY = Column("city", "text", 0, 12)
WAS = Profile("data/train.csv", 1000, (AGE, CITY))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (WAS, ["rows, columns, nulls and ranges are the same; single values differ"]),
        (replace(WAS, columns=(replace(AGE, nulls=310), CITY)), ["column age: 31 % nulls, was 0.3 %"]),
        (replace(WAS, columns=(replace(AGE, nulls=0), CITY)), ["column age: 0 % nulls, was 0.3 %"]),
        (replace(WAS, rows=12_000, columns=(replace(AGE, nulls=36), CITY)), ["12,000 rows, was 1,000"]),
        (replace(WAS, columns=(CITY,)), ["column age is gone"]),
        (replace(WAS, columns=(CITY, AGE)), ["the columns are in another order"]),
        (
            replace(WAS, columns=(AGE, replace(CITY, name="town"), replace(CITY, name="land"))),
            ["column city is gone", "columns town, land are new"],
        ),
        (
            replace(WAS, columns=(replace(AGE, type="text", quantiles=(), distinct=7), CITY)),
            ["column age: text, was integer", "column age: 7 distinct values, was many"],
        ),
        (replace(WAS, columns=(AGE, replace(CITY, distinct=None))), ["column city: many distinct values, was 12"]),
        (
            replace(WAS, columns=(replace(AGE, quantiles=(0.0, 26.0, 41.0, 56.0, 900.0)), CITY)),
            ["column age: from 0 to 900, was 18 to 95"],
        ),
        (
            replace(WAS, columns=(replace(AGE, quantiles=(18.0, 25.0, 50.0, 55.0, 95.0)), CITY)),
            ["column age: quartiles 25, 50, 55, were 25, 40, 55"],
        ),
    ],
)
def test_differences(now, expected):
    assert differences(WAS, now) == tuple(f"data/train.csv: {text}" for text in expected)


def test_of_very_many_differences_the_first_are_told():
    columns = tuple(Column(f"c{number}", "text", 0, 1) for number in range(40))
    now = tuple(replace(column, nulls=10) for column in columns)
    told = differences(Profile("a.csv", 10, columns), Profile("a.csv", 10, now))
    assert len(told) == 13
    assert told[-1] == "a.csv: and 28 more differences"


def test_an_empty_table_has_no_share_of_nulls():
    empty = Profile("a.csv", 0, (Column("a", "other", 0, 0),))
    assert differences(empty, replace(empty, rows=4, columns=(Column("a", "other", 4, 0),))) == (
        "a.csv: 4 rows, was 0",
        "a.csv: column a: 100 % nulls, was 0 %",
    )


def test_the_content_that_was_found_is_profiled(tmp_path: Path):
    (tmp_path / "other").write_text("age,city\n" + "1,Rom\n" * 2 + ",Rom\n" * 2)
    was = Profile("data/train.csv", 4, (Column("age", "integer", 0, 1, (1.0,) * 5), Column("city", "text", 0, 1)))
    found = {"data/train.csv": tmp_path / "other", "b.csv": tmp_path / "none", "gone.csv": tmp_path / "none"}
    told = explain_changes([was, replace(was, path="gone.csv"), replace(was, path="same.csv")], found, {})
    assert told == ("data/train.csv: column age: 50 % nulls, was 0 %",)
    assert explain_changes([], found, {}) == ()
