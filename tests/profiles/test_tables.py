"""Profiles of tables: what the program says of delimited text and, where pyarrow is, of Arrow's formats."""

import bz2
import csv
import gzip
import json
import lzma
import statistics
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.digest import Digest
from repro.lock import Column, Profile
from repro.profiles import ProfileLimits, TableFile, profile_files, table_kind
from repro.profiles.tables import delimited
from repro.profiles.tables.columns import NotATableError, Numbers

PEOPLE = """\
id,age,height,city,joined,member,note
1,31,1.5,Bern,2024-01-31,True,a_1
2,,1.75,Bern,2024-02-01 10:00:00Z,False,2020_01
3,45,NA,Rom,,True,nan
4,20,2e0,Rom,2024-02-03,,text
"""
COLUMNS = (
    Column("id", "integer", 0, 4, (1.0, 1.75, 2.5, 3.25, 4.0)),
    Column("age", "integer", 1, 3, (20.0, 25.5, 31.0, 38.0, 45.0)),
    Column("height", "number", 1, 3, (1.5, 1.625, 1.75, 1.875, 2.0)),
    Column("city", "text", 0, 2),
    Column("joined", "time", 1, 3),
    Column("member", "boolean", 1, 2),
    Column("note", "text", 1, 3),
)


@pytest.fixture(autouse=True)
def _own_limit():
    """The program sets the csv module's limit for its own process, which here is that of all tests."""
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)


def table(path: Path, name: str | None = None) -> TableFile:
    return TableFile(name or path.name, path, Digest.of_file(path), path.stat().st_size)


def profiled(path: Path) -> Profile:
    done = profile_files([table(path)], ProfileLimits(), [Path(sys.executable)])
    assert done.notes == ()
    return done.profiles[0]


def seen(path: Path, text: str | bytes) -> dict[str, Any]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return delimited.profile(str(path), "", lambda: None)


def kinds(profile: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["type"] for column in profile["columns"]}


def test_delimited_text(tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    assert profiled(tmp_path / "people.csv") == Profile("people.csv", 4, COLUMNS)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv.gz", gzip.compress(PEOPLE.encode())),
        ("a.csv.bz2", bz2.compress(PEOPLE.encode())),
        ("a.csv.xz", lzma.compress(PEOPLE.encode())),
        ("a.tsv", PEOPLE.replace(",", "\t").encode()),
        ("a.csv", PEOPLE.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig")),
        ("a.CSV", PEOPLE.encode("utf-16")),
    ],
)
def test_the_same_table_in_other_forms(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert profiled(tmp_path / name) == Profile(name, 4, COLUMNS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", {"1": "number", "2": "number", "3": "text"}),
        ("150,4,setosa,rose\n5.1,3.5,0,1\n", {"150": "number", "4": "number", "setosa": "integer", "rose": "integer"}),
        ("name,city\na,b\n", {"name": "text", "city": "text"}),
        ("a,b\n", {"a": "other", "b": "other"}),
        ("a,b,c\n1\n1,2,3,4\n\n", {"a": "integer", "b": "integer", "c": "integer"}),
        ('a,"b\nc"\n"1\n2",3\n', {"a": "text", "b\nc": "integer"}),
        ("a\n" + "9" * 400 + "\n", {"a": "integer"}),
        ("a\n\xff\n", {"a": "text"}),
    ],
)
def test_headers_and_types(tmp_path, text, expected):
    assert kinds(seen(tmp_path / "a.csv", text.encode("latin-1"))) == expected


def test_what_is_no_table(tmp_path):
    with pytest.raises(NotATableError, match="empty"):
        seen(tmp_path / "a.csv", "\n\n")
    with pytest.raises(NotATableError, match="300 columns"):
        seen(tmp_path / "a.csv", ",".join(map(str, range(300))))


def test_many_distinct_values_are_not_counted(tmp_path):
    rows = "".join(f"{number % 50},{number % 51}\n" for number in range(200))
    assert [column["distinct"] for column in seen(tmp_path / "a.csv", f"a,b\n{rows}")["columns"]] == [50, None]


def test_batches_make_no_difference(tmp_path, monkeypatch):
    rows = "".join(f"{number},{number / 7},{'' if number % 3 else 'x'}\n" for number in range(1000))
    once = seen(tmp_path / "a.csv", f"a,b,c\n{rows}")
    monkeypatch.setattr(delimited, "CELLS", 100)
    assert seen(tmp_path / "a.csv", f"a,b,c\n{rows}") == once


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=60), st.integers(1, 7))
def test_quantiles_are_exact_while_all_numbers_are_kept(values, size):
    numbers = Numbers(100)
    for start in range(0, len(values), size):
        numbers.add(array("d", values[start : start + size]))
    low, *middle, high = numbers.quantiles()
    assert (low, high) == (min(values), max(values))
    assert middle == pytest.approx(statistics.quantiles(values, n=4, method="inclusive"), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(10, 3000), st.integers(1, 500))
def test_of_more_numbers_evenly_spaced_ones_are_kept(count, size):
    numbers = Numbers(64)
    for start in range(0, count, size):
        numbers.add(array("d", map(float, range(start, min(start + size, count)))))
    low, first, middle, third, high = numbers.quantiles()
    assert (low, high) == (0.0, count - 1.0)
    allowed = count / 32
    assert [first, middle, third] == pytest.approx([count / 4, count / 2, count * 3 / 4], abs=allowed + 1)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/b.csv", "text"),
        ("b.TSV.GZ", "text.gz"),
        ("b.parquet", "parquet"),
        ("b.feather", "ipc"),
        ("b.txt", None),
        ("b.gz", None),
        ("b.json", None),
        ("csv", None),
    ],
)
def test_tables_are_told_by_their_names(path, kind):
    assert table_kind(path) == kind


def test_tables_without_a_profile_say_why(tmp_path):
    files = {"large.csv": "a\n" * 600, "empty.csv": "", "broken.csv.gz": "no gzip", "b.csv": "a\n1\n", "x.bin": "a"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = profile_files([table(tmp_path / name) for name in files], ProfileLimits(size=999), [Path(sys.executable)])
    assert [profile.path for profile in done.profiles] == ["b.csv"]
    assert [note.partition(":")[0] for note in done.notes] == [
        "no profile of broken.csv.gz",
        "no profile of empty.csv",
        "no profile of large.csv",
    ]
    assert done.notes[2].endswith("it has 1200 bytes; [files] profile-size allows 999")


def test_time_has_a_limit(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    done = profile_files([table(tmp_path / "a.csv")], ProfileLimits(seconds=0.0), [Path(sys.executable)])
    assert (done.profiles, len(done.notes)) == ((), 1)
    assert profile_files([table(tmp_path / "a.csv")], ProfileLimits(enabled=False), []).notes == ()


def test_the_cache_is_asked_first_and_forgives_damage(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    file, cache, python = table(tmp_path / "a.csv"), tmp_path / "cache", Path(sys.executable)
    first = profile_files([file], ProfileLimits(), [python], cache)
    assert profile_files([file], ProfileLimits(), [], cache) == first
    (kept,) = cache.iterdir()
    kept.write_bytes(b"{")
    assert profile_files([file], ProfileLimits(), [python], cache) == first
    assert json.loads(kept.read_bytes())["rows"] == 1


def test_an_interpreter_that_does_not_run_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    done = profile_files([table(tmp_path / "a.csv")], ProfileLimits(), [tmp_path / "python"])
    assert done.notes == (f"no profile of a.csv: {tmp_path / 'python'} gave no answer",)


@pytest.fixture(scope="module")
def arrow_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with pyarrow, apart from the one that runs the tests, without NumPy."""
    folder = tmp_path_factory.mktemp("arrow")
    uv = [sys.executable, "-m", "uv", "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--no-project", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "--python", str(python), "pyarrow"], check=True)
    return python


MAKE = """
import decimal, datetime as dt, pyarrow as pa, pyarrow.parquet as pq
from pyarrow import feather
nan = float("nan")
table = pa.table({
    "id": [1, 2, 3, 4], "age": pa.array([31, None, 45, 20], pa.int8()), "height": [1.5, 1.75, nan, 2.0],
    "city": pa.array(["Bern", "Bern", "Rom", "Rom"]).dictionary_encode(), "joined": [dt.date(2024, 1, 1)] * 3 + [None],
    "member": [True, False, True, None], "note": ["a", "b", None, "c"], "price": [decimal.Decimal("1.5")] * 4,
    "list": [[1], [2], None, [3]],
})
pq.write_table(table, "a.parquet", row_group_size=3)
feather.write_feather(table, "a.feather", chunksize=3)
with pa.ipc.new_stream("a.arrows", table.schema) as stream:
    stream.write_table(table)
"""


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
def test_arrow_formats(tmp_path, arrow_python, name):
    subprocess.run([arrow_python, "-c", MAKE], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    without = tmp_path / "bare" / "bin" / "python"
    done = profile_files([table(tmp_path / name)], ProfileLimits(), [without, arrow_python])
    assert done.notes == ()
    (profile,) = done.profiles
    assert profile.rows == 4
    assert profile.columns == (
        *COLUMNS[:4],
        Column("joined", "time", 1, 1),
        *COLUMNS[5:],
        Column("price", "number", 0, 1, (1.5,) * 5),
        Column("list", "other", 1, None),
    )
    if name == "a.parquet":
        assert profile_files([table(tmp_path / name)], ProfileLimits(), [without]).notes == (
            f"no profile of a.parquet: pyarrow isn't installed for {without}",
        )
