"""Metrics in what was printed; the reports are scikit-learn's own."""

import posixpath
import re
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.runner.metrics_printed import REPORTS, Printed, pattern_entry, printed_cells, printed_script, read_printed
from tests.runner.test_metrics import stored

CLASSES = """\
              precision    recall  f1-score   support

         cat       0.67      1.00      0.80         2
    wild dog       0.50      0.33      0.40         3
     class 3       0.50      0.50      0.50         2

    accuracy                           0.57         7
   macro avg       0.56      0.61      0.57         7
weighted avg       0.55      0.57      0.54         7
"""
LABELS = """\
              precision    recall  f1-score   support

           0       1.00      1.00      1.00         2
           1       1.00      0.50      0.67         2

   micro avg       1.00      0.75      0.86         4
   macro avg       1.00      0.75      0.83         4
weighted avg       1.00      0.75      0.83         4
 samples avg       1.00      0.83      0.89         4
"""
MATRIX = "[[2 0 0]\n [1 1 1]\n [0 1 1]]"
ARRAY = "array([[2, 0, 0],\n       [1, 1, 1],\n       [0, 1, 1]])"


def values(*printed: str, entries: tuple[str, ...] = (REPORTS,), source: str = "confusion_matrix(y, p)") -> dict:
    texts = [Printed(text, source, f"printed:{number}") for number, text in enumerate(printed, start=1)]
    found = read_printed(entries, texts)
    assert found.problems == []
    return {metric.name: metric.value for metric in found.metrics}


def test_a_classification_report():
    seen = values(f"fitted\n{CLASSES}done 1 2 3 4\n")
    name = "classification_report"
    assert seen[f"{name}.cat.precision"] == 0.67
    assert seen[f"{name}.wild dog.recall"] == 0.33
    assert seen[f"{name}.class 3.f1-score"] == 0.5
    assert seen[f"{name}.accuracy"] == 0.57
    assert seen[f"{name}.weighted avg.support"] == 7
    assert len(seen) == 5 * 4 + 1


def test_several_reports_are_numbered():
    seen = values(CLASSES, LABELS + CLASSES)
    assert seen["classification_report[1].samples avg.f1-score"] == 0.89
    assert seen["classification_report[1].micro avg.recall"] == 0.75
    assert seen["classification_report[2].accuracy"] == 0.57
    assert len(seen) == 21 + 24 + 21


@pytest.mark.parametrize("text", [MATRIX, ARRAY, f"before\n{MATRIX}\nafter"])
def test_a_confusion_matrix(text):
    seen = values(text)
    assert seen["confusion_matrix[0][0]"] == 2
    assert seen["confusion_matrix[1][2]"] == 1
    assert len(seen) == 9


@pytest.mark.parametrize("text", ["[[1 2]]", "[[1 2]\n [3]]", "[[0.5 1]\n [1 2]]", "[[", "[[1, 2], [3, 4]"])
def test_other_arrays_are_no_confusion_matrix(text):
    assert values(text) == {}
    assert values(MATRIX, source="np.eye(3)") == {}


def test_patterns():
    entries = (
        pattern_entry("auc", r"AUC: ([0-9.]+)"),
        pattern_entry("n", r"(\d+) rows"),
        pattern_entry("best", r"^best model: (.+)$"),
        pattern_entry("cv", r"mean (?P<mean>\S+) ± (?P<std>\S+)"),
        pattern_entry("share/a=b", r"50% of (-?\d+/\d+)"),
    )
    seen = values(
        "AUC: 0.5\nAUC: 0.93\n", "1200 rows\nbest model: tree \nmean 1e-3 ± nan\n50% of 1/2\n", entries=entries
    )
    assert seen.pop("cv.std") != 0
    assert seen == {"auc": 0.93, "n": 1200, "best": "tree", "cv.mean": 0.001, "share/a=b": "1/2"}


def test_a_pattern_that_finds_nothing_is_named():
    found = read_printed([pattern_entry("auc", "AUC: (.)")], [Printed("ACC: 1", "", "printed:1")])
    assert found.warnings == ["metrics.patterns.auc: nothing that was printed matches 'AUC: (.)'"]


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1), st.text(min_size=1))
def test_entries_are_paths_that_the_lock_accepts_and_read_back(name, text):
    entry = pattern_entry(name, text)
    assert posixpath.normpath(entry) == entry
    assert not {"/", "\0"} & set(entry)
    assert entry.startswith("printed:")
    found = read_printed([pattern_entry(name, f"(x)|{re.escape(text)}")], [Printed("x", "", "printed:1")])
    assert [metric.name for metric in found.metrics] == [name]


def test_what_cells_printed():
    stream = nbformat.v4.new_output("stream", name="stdout", text="AUC: 0.5\n")
    result = nbformat.v4.new_output("execute_result", {"text/plain": "0.25"})
    picture = nbformat.v4.new_output("display_data", {"image/png": "eA=="})
    assert [(one.text, one.place) for one in printed_cells(stored(([], [stream, result]), ([], [picture])))] == [
        ("AUC: 0.5\n\n0.25", "printed:1"),
        ("", "printed:2"),
    ]


def test_what_a_script_printed(tmp_path: Path):
    (tmp_path / "output.log").write_bytes(b"AUC: \xff0.5\n")
    (tmp_path / "a.py").write_text("print()")
    printed = printed_script(tmp_path / "output.log", tmp_path / "a.py")
    assert (printed.source, printed.place) == ("print()", "printed:output.log")
    assert "0.5" in printed.text


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0.90", 2),
        ("-12.5", 1),
        ("5.", 0),
        (".125", 3),
        ("1.20e-3", 5),
        ("1.2E+05", -4),
        ("42", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("1e-99999999999", None),
        ("cat", None),
    ],
)
def test_digits_that_were_printed_are_counted(text, digits):
    (metric,) = read_printed([pattern_entry("m", "m=(.*)")], [Printed(f"m={text}", "", "printed:1")]).metrics
    assert metric.digits == digits


def test_digits_of_a_report_are_two():
    found = read_printed([REPORTS], [Printed(CLASSES, "", "printed:1")])
    assert {metric.digits for metric in found.metrics if isinstance(metric.value, float)} == {2}
    assert {metric.digits for metric in found.metrics if isinstance(metric.value, int)} == {None}
