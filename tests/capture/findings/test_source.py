"""Cells and lines as rules see them, comments that silence, and notebooks' lines in their files."""

import json

import nbformat
import pytest

from repro.capture.findings import Place, Run, find, notebook_source, settle
from repro.capture.findings.positions import cell_lines
from tests.capture.findings.notebooks import notebook, of, script

URL = "https://example.com/a.csv"


def test_code_cells_are_counted_from_one_as_in_the_errors_of_a_run() -> None:
    document = nbformat.v4.new_notebook()
    document.cells = [
        nbformat.v4.new_markdown_cell("x"),
        nbformat.v4.new_code_cell("a = 1"),
        nbformat.v4.new_code_cell("b"),
    ]
    (finding,) = [one for one in find(notebook_source("a/n.ipynb", document)) if one.rule == "undefined-name"]
    assert str(finding.place) == "a/n.ipynb: cell 2, line 1"


def test_a_script_has_lines_only() -> None:
    (finding,) = of("undefined-name", script("a = 1\nb"))
    assert str(finding.place) == "work.py: line 2"
    assert finding.place.file_line == 2


def test_lines_of_a_notebooks_file_are_those_that_editors_show() -> None:
    document = nbformat.v4.new_notebook()
    document.cells = [nbformat.v4.new_code_cell('x = "ä\\n{["\ny = 1'), nbformat.v4.new_code_cell("\n\nundefined")]
    text = nbformat.writes(document)
    (finding,) = [one for one in find(notebook_source("n.ipynb", document, text)) if one.rule == "undefined-name"]
    assert finding.place.line == 3
    assert finding.place.file_line is not None
    assert '"undefined"' in text.splitlines()[finding.place.file_line - 1]


def test_sources_on_one_line_of_the_file_are_told_there() -> None:
    text = json.dumps({"cells": [{"source": "a\nb"}, {"source": ["c\n", "d"]}, {"source": []}, {"source": "e"}]})
    assert cell_lines(text) == [[1, 1], [1, 1], [], [1]]


@pytest.mark.parametrize(
    "line",
    [
        f"pd.read_csv('{URL}')  # repro: allow network-read",
        f"pd.read_csv('{URL}')  # repro:allow wall-clock , network-read - it is small",
        f"pd.read_csv(\n    '{URL}',\n)  # repro: allow network-read",
        f"pd.read_csv(  # repro: allow network-read\n    '{URL}',\n)",
    ],
)
def test_a_comment_silences_a_rule_for_its_statement(line: str) -> None:
    assert of("network-read", notebook(f"import pandas as pd\n{line}")) == []
    assert of("network-read", script(f"import pandas as pd\n{line}")) == []


@pytest.mark.parametrize(
    "line",
    [
        f"# repro: allow network-read\npd.read_csv('{URL}')",
        f"pd.read_csv('{URL}')  # repro: allow wall-clock",
        f"pd.read_csv('{URL}#  # repro: allow network-read')",
    ],
)
def test_comments_elsewhere_and_for_other_rules_silence_nothing(line: str) -> None:
    assert len(of("network-read", notebook(f"import pandas as pd\n{line}"))) == 1


def test_shell_lines_can_be_silenced_too() -> None:
    assert of("changes-environment", notebook("!pip install x  # repro: allow changes-environment")) == []


def test_rules_that_repro_toml_allows_are_silent_before_and_after_a_run() -> None:
    source = notebook("import os\nx")
    assert {one.rule for one in find(source)} == {"undefined-name", "unused-import"}
    assert [one.rule for one in find(source, ["undefined-name"])] == ["unused-import"]
    assert [one.rule for one in settle(source, find(source), Run(), ["undefined-name"])] == ["unused-import"]


def test_the_worst_comes_first_then_by_place() -> None:
    found = find(notebook("import os\nimport sys", "!pip install x", "y"))
    assert [(one.level, one.place.cell, one.place.line) for one in found] == [
        ("error", 3, 1),
        ("warning", 2, 1),
        ("note", 1, 1),
        ("note", 1, 2),
    ]


@pytest.mark.parametrize("source", ["", "\0", "x = (", "é = 'ü'\r\nprint(é)", "(" * 5000, "-" * 50_000 + "1", "\ufeff"])
def test_whatever_is_in_a_cell_rules_survive_it(source: str) -> None:
    find(notebook(source, "x = 1"))
    find(script(source))


def test_a_place_is_as_exact_as_it_can_be() -> None:
    assert str(Place("a.py")) == "a.py"
    assert str(Place("n.ipynb", 3)) == "n.ipynb: cell 3"
