"""Files as tables: what pandas and others write, encodings, and what is refused."""

import csv
import json
import math
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.outputs import read_tables
from repro.outputs.model import UnreadableError
from repro.outputs.read_tables import read_table
from repro.outputs.tables import Table


def read(tmp_path: Path, name: str, content: str | bytes) -> Table:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, path.suffix)


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns}


def cells(table: Table, name: str) -> list[object]:
    return list(table.by_name()[name].cells)


def test_columns_get_the_type_that_all_their_cells_have(tmp_path: Path) -> None:
    text = ",n,p,hit,label,zip,none\n0,1,0.5,True,a,01234,\n1,-7,1e-3,False,,99999,\n2,,nan,,c,00501,NaN\n"
    found = read(tmp_path, "a.csv", text)
    assert kinds(found) == {
        "": "integer",
        "n": "integer",
        "p": "number",
        "hit": "boolean",
        "label": "text",
        "zip": "text",
        "none": "empty",
    }
    assert cells(found, "n") == [1, -7, None]
    assert cells(found, "p") == [0.5, 0.001, None]
    assert cells(found, "label") == ["a", "", "c"]
    assert cells(found, "zip") == ["01234", "99999", "00501"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_are_one_content(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, "a.csv", 'størrelse,navn\r\n1,"Ærø, ""x""\n2"\r\n'.encode(encoding))
    assert [column.name for column in found.columns] == ["størrelse", "navn"]
    assert cells(found, "navn") == ['Ærø, "x"\n2']


def test_bytes_that_are_no_text_still_compare(tmp_path: Path) -> None:
    assert cells(read(tmp_path, "a.csv", b"a\nna\xefve\n"), "a") == ["na\\xefve"]


def test_delimiters(tmp_path: Path) -> None:
    assert kinds(read(tmp_path, "a.tsv", "a\tb\n1\t2\n")) == {"a": "integer", "b": "integer"}
    assert kinds(read(tmp_path, "a.csv", "a;b\n1;2,5\n")) == {"a": "integer", "b": "text"}


def test_names_that_come_twice_and_short_rows(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", "a,a,a\n1,2\n\n3,4,5\n")
    assert kinds(found) == {"a": "integer", "a (2)": "integer", "a (3)": "integer"}
    assert cells(found, "a (3)") == [None, 5]


def test_empty_files_are_tables(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "") == Table((), 0)
    assert kinds(read(tmp_path, "a.csv", "a,b\n")) == {"a": "empty", "b": "empty"}


def test_numbers_with_thousands_of_digits_are_texts(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", f"n\n{'9' * 5000}\n")
    assert cells(found, "n") == ["9" * 5000]
    assert kinds(read(tmp_path, "a.csv", "n\n1e999\n")) == {"n": "text"}
    assert cells(read(tmp_path, "a.csv", "n\n-inf\n1.5\n"), "n") == [-math.inf, 1.5]


def test_rows_longer_than_the_header_and_too_many_cells_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnreadableError, match="row 2 has 3 fields, the header has 2"):
        read(tmp_path, "a.csv", "a,b\n1,2\n1,2,3\n")
    monkeypatch.setattr(read_tables, "MOST_CELLS", 10)
    with pytest.raises(UnreadableError, match="more than 10 cells"):
        read(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 6)


def test_json_records(tmp_path: Path) -> None:
    records = [{"id": 1, "p": 0.5, "of": {"x": 1}}, {"id": 2, "p": None, "more": "é"}]
    found = read(tmp_path, "a.json", json.dumps(records))
    assert kinds(found) == {"id": "integer", "p": "number", "of": "text", "more": "text"}
    lines = "\n".join(map(json.dumps, records)) + "\n"
    assert read(tmp_path, "a.jsonl", lines) == found


def test_other_json_is_a_table_of_places(tmp_path: Path) -> None:
    found = read(tmp_path, "a.json", '{"b": [1, {"c": NaN}], "a": "x"}')
    assert cells(found, "place") == ["a", "b.0", "b.1.c"]
    assert cells(found, "value") == ["x", 1, None]


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": 1e'])
def test_broken_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableError, match="no JSON"):
        read(tmp_path, "a.json", text)


def _arrow_table() -> pa.Table:
    return pa.table(
        {
            "n": pa.array([1, None], pa.int32()),
            "p": pa.array([float("nan"), 0.5], pa.float64()),
            "label": pa.array(["a", "b"]).dictionary_encode(),
            "day": pa.array([0, 1], pa.date32()),
            "list": pa.array([[1], [2, 3]]),
        }
    )


def test_parquet_and_feather_are_one_content(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(_arrow_table(), tmp_path / "a.parquet")
    pyarrow.feather.write_feather(_arrow_table(), str(tmp_path / "a.feather"))
    parquet, feather = (read_table(tmp_path / name, name[1:]) for name in ("a.parquet", "a.feather"))
    assert parquet.columns[:4] == feather.columns[:4]
    assert kinds(parquet)["n"] == "int32"
    assert cells(parquet, "n") == [1, None]
    assert cells(parquet, "p") == [None, 0.5]
    assert cells(parquet, "label") == ["a", "b"]
    assert cells(parquet, "day") == ["1970-01-01", "1970-01-02"]
    assert cells(parquet, "list") == ["[1]", "[2, 3]"]


def test_too_many_rows_of_parquet_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [0] * 100}), tmp_path / "a.parquet")
    monkeypatch.setattr(read_tables, "MOST_CELLS", 99)
    with pytest.raises(UnreadableError, match="more than 10000 columns or 99 cells"):
        read_table(tmp_path / "a.parquet", ".parquet")


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=60)
def test_whatever_is_in_a_file_it_is_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for content, suffix in (
        (data, ".csv"),
        (data, ".json"),
        (b"PAR1" + data + b"PAR1", ".parquet"),
        (b"ARROW1\0\0" + data + b"ARROW1", ".feather"),
    ):
        path.write_bytes(content)
        with suppress(UnreadableError):
            read_table(path, suffix)


def test_reading_a_small_table_leaves_room_for_larger_ones(tmp_path: Path) -> None:
    """The csv module has one limit for the whole process, which wheels are read with as well."""
    before = csv.field_size_limit()
    assert read(tmp_path, "small.csv", "a,b\n1,2\n").rows == 1
    assert csv.field_size_limit() >= before
