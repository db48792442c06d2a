"""Findings at the terminal, in JSON, and as SARIF."""

import hashlib
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from repro.capture.findings import NAMES, RULES, Finding, Place, find, notebook_source, script_source
from repro.errors import UsageError
from repro.report.findings import finding_summary, findings_data
from repro.report.sarif import sarif, sarif_writer
from repro.report.style import Style
from tests.conftest import ROOT

CELLS = ["import os\nprint(x)", "x = 1\n!pip install y", "import time\nage = time.time()\nage"]


def findings(cells: list[str] = CELLS) -> tuple[Finding, ...]:
    document = nbformat.v4.new_notebook()
    document.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    return find(notebook_source("models/my work.ipynb", document, nbformat.writes(document)))


def test_each_place_on_its_line_and_the_cure_below() -> None:
    assert (
        "\n".join(finding_summary(findings(), Style(120)))
        == """\
✗ error: A name is used before, or without, being defined (undefined-name)
    models/my work.ipynb: cell 1, line 2: `x` is used here, but defined only in cell 2
    → Define `x` above its first use, so that a run from the top finds it.
! warning: The environment changes during the run (changes-environment)
    models/my work.ipynb: cell 2, line 2: `pip install` changes the environment during the run
    → Install it once, in the kernel's environment, capture again, and take the line out: the lock holds it then.
· note: The time of day is used (wall-clock)
    models/my work.ipynb: cell 3, line 2: `time.time()` takes the time of day
    → Where a result depends on it, use a fixed date.
· note: An import that nothing uses (unused-import)
    models/my work.ipynb: cell 1, line 1: `os` is imported, but never used
    → Take the import out.
  1 error, 1 warning, 2 notes; silence one with a comment on its line: # repro: allow undefined-name"""
    )


def test_many_of_one_kind_are_counted_and_their_cure_is_told_once() -> None:
    lines = finding_summary(findings([f"import a{number}" for number in range(9)]), Style(120))
    assert sum("is imported" in line for line in lines) == 5
    assert sum("Take the import out" in line for line in lines) == 1
    assert "    and 4 more: --json and --sarif list all" in lines


def test_nothing_is_said_of_nothing() -> None:
    assert finding_summary((), Style()) == []


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_where_words_do_and_are_safe_to_show(width: int) -> None:
    lines = finding_summary(findings(["x\x1b[31m", "open('/home/jane/\\x1b]0;')"]), Style(width, unicode=False))
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_json_has_every_field() -> None:
    assert findings_data(findings())[0] == {
        "rule": "undefined-name",
        "level": "error",
        "path": "models/my work.ipynb",
        "cell": 1,
        "line": 2,
        "file_line": 11,
        "what": "`x` is used here, but defined only in cell 2",
        "cure": "Define `x` above its first use, so that a run from the top finds it.",
    }


def run_of(found: tuple[Finding, ...]) -> dict[str, Any]:
    log = json.loads(sarif(found))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return dict(run)


def test_a_log_names_its_rules_and_points_at_lines_of_the_file() -> None:
    run = run_of(findings())
    rules = run["tool"]["driver"]["rules"]
    assert sorted(rule["id"] for rule in rules) == list(NAMES)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert {rule["defaultConfiguration"]["level"] for rule in rules} == {"error", "warning", "note"}
    first = run["results"][0]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "undefined-name"
    assert first["level"] == "error"
    assert "(cell 1, line 2)" in first["message"]["text"]
    (location,) = first["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "models/my%20work.ipynb", "uriBaseId": "PROJECTROOT"},
        "region": {"startLine": 11},
    }
    assert location["logicalLocations"][0]["name"] == "cell 1"
    assert run["originalUriBaseIds"].keys() == {"PROJECTROOT"}


def test_fingerprints_stay_when_code_moves_and_differ_for_each_result() -> None:
    before = run_of(findings(["print(x)", "print(x, y)"]))["results"]
    after = run_of(findings(["a = 1", "b = 1\nprint(x)", "c = 1\n\nprint(x, y)"]))["results"]
    assert [one["partialFingerprints"] for one in before] == [one["partialFingerprints"] for one in after]
    same = run_of(findings(["import time\n(time.time(),)\n(time.time(),)"]))["results"]
    assert len({one["partialFingerprints"]["primaryLocationLineHash"] for one in same}) == len(same) == 2


def test_the_same_findings_give_the_same_bytes() -> None:
    assert sarif(findings()) == sarif(findings())


def test_a_script_and_a_finding_without_a_line() -> None:
    (script,) = run_of(find(script_source("a.py", "\nundefined\n")))["results"]
    assert script["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a.py", "uriBaseId": "PROJECTROOT"},
                "region": {"startLine": 2},
            }
        }
    ]
    whole = Finding(RULES[0].name, "note", Place("ä.ipynb"), "what", "Cure.")
    (result,) = run_of((whole,))["results"]
    assert result["message"]["text"] == "what. Cure."
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%C3%A4.ipynb"


def test_a_log_replaces_an_earlier_log_and_nothing_else(tmp_path: Path) -> None:
    log, other = tmp_path / "findings.sarif", tmp_path / "work.ipynb"
    sarif_writer(log)(findings())
    sarif_writer(log)(())
    assert json.loads(log.read_bytes())["runs"][0]["results"] == []
    other.write_text('{"cells": []}', encoding="utf-8")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    for place in (other, tmp_path):
        with pytest.raises(UsageError, match="no SARIF log"):
            sarif_writer(place)
    assert hashlib.sha256(other.read_bytes()).hexdigest() == digest


def test_the_manual_names_every_rule_with_its_level_and_every_field() -> None:
    page = (ROOT / "docs" / "formats" / "findings.md").read_text(encoding="utf-8")
    assert [
        f"| `{rule.name}` | {rule.level} |" for rule in RULES if f"| `{rule.name}` | {rule.level} |" not in page
    ] == []
    assert [name for name in findings_data(findings())[0] if f"| `{name}` |" not in page] == []
