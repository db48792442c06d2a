"""Differences and checks as text, Markdown and JSON. UPDATE_GOLDEN=1 writes the golden files anew: read them."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from repro.differ import Change, Difference, Section, Side
from repro.differ.check import Finding, Item, Report
from repro.report.check import check_annotations, check_json, check_text
from repro.report.diff import diff_json, diff_markdown, diff_text
from repro.report.style import Style
from tests.conftest import ROOT
from tests.test_manual import objects, tables

GOLDEN = Path(__file__).parent / "golden"
PAGE = ROOT / "docs" / "formats" / "diff.md"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")
BEFORE, AFTER = Side("git:main", "lock", f"sha256:{'1' * 64}"), Side("working tree", "tree", f"sha256:{'2' * 64}")
CELLS = ("cell 3: changed", "  - booster.num_boosted_rounds()", '  + booster.set_param({"nthread": 1})', "cell 7: new")
DIFFERENT = Difference(
    BEFORE,
    AFTER,
    (
        Section(
            "code",
            (
                Change("evaluate.ipynb", "changed", "content", "1a", "2b", note="notebook", details=CELLS),
                Change("helpers.py", "removed", "content", note="code"),
                Change("features.py", "changed", "comments", "3c", "4d", moves=False, note="code"),
            ),
        ),
        Section(
            "packages",
            (
                Change("xgboost", "changed", "version", "2.1.1", "3.0.0", note="direct"),
                Change(
                    "numpy", "changed", "build", "2.4.1", "2.4.1", note="transitive", details=("linux/amd64: a → b",)
                ),
                Change("six", "changed", "patched", "as published", "edited by hand in 1 file", note="transitive"),
                Change("evil\x1b[2J", "added", "version", "", "1.0`<script>", note="transitive"),
            ),
        ),
        Section("python", (), ("the base image, because nobody is asked what its name leads to now",)),
        Section("environment", (Change("time zone", "changed", "setting", "UTC", "Asia/Tokyo"),)),
        Section(
            "metrics",
            (
                Change("auc", "changed", "value", "0.91", "0.92", details=("difference +0.01, 0.011 of it",)),
                Change("auc minimum", "added", "rule", "", "0.9", moves=False),
            ),
            ("values of metrics, because nothing was run",),
        ),
    ),
)
SAME = Difference(BEFORE, AFTER, ())
ITEMS = (
    Item("lock", "format 1.3, sha256:111111111111"),
    Item(
        "files",
        "6 locked files, 122,136 bytes, hashed",
        (
            Finding(
                "stale", "evaluate.ipynb", "evaluate.ipynb", "its content is not what was locked", "restore it", CELLS
            ),
            Finding("stale", "data/x,y:1.csv", "data/x,y:1.csv", "its content is not what was locked", "restore it"),
            Finding("note", "big.csv", "big.csv", "it is not here, so it was not compared", "repro pull big.csv"),
        ),
    ),
    Item(
        "requirements",
        "requirements.txt",
        (Finding("warning", "requirements.txt", "click", "8.2 is declared", "correct it"),),
    ),
    Item("environment", "what is installed, because there is no Python", skipped=True),
)
STALE = Report(Path("repro.lock"), f"sha256:{'1' * 64}", "evaluate.ipynb", (), ITEMS, 0.8)
TRUE = replace(STALE, items=ITEMS[:1])
TEXTS = {
    "diff": lambda style: diff_text(DIFFERENT, style),
    "diff-same": lambda style: diff_text(SAME, style),
    "check": lambda style: check_text(STALE, style),
    "check-true": lambda style: check_text(TRUE, style),
}


def golden(name: str, text: str) -> str:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_eighty_columns_without_colour(name: str) -> None:
    text = TEXTS[name](Style(80))
    assert text == golden(f"{name}.txt", text)
    assert not CONTROL.search(text)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_colour_adds_nothing_but_colour(name: str, width: int) -> None:
    assert COLOR.sub("", TEXTS[name](Style(width, color=True))) == TEXTS[name](Style(width))


def test_ascii_where_there_is_no_more() -> None:
    assert diff_text(DIFFERENT, Style(80, unicode=False)).isascii()
    assert check_text(STALE, Style(80, unicode=False)).isascii()


def test_capturing_again_keeps_the_arguments_of_a_script() -> None:
    text = check_text(replace(STALE, subject="my train.py", args=("--seed", "3")), Style(80))
    assert "next: repro capture 'my train.py' -- --seed 3, if all of this is meant" in text


def test_markdown_for_a_pull_request() -> None:
    page = diff_markdown(DIFFERENT)
    assert page == golden("diff.md", page)
    assert "<script>" not in page.replace("&#60;script&#62;", "")


def test_markdown_fits_a_comment_however_much_differs() -> None:
    many = tuple(Change(f"package-{n}", "changed", "version", "1", "2", details=("x" * 90,) * 30) for n in range(400))
    page = diff_markdown(replace(DIFFERENT, sections=(Section("packages", many),)))
    assert len(page) < 65_536
    assert "package-399" in page
    more = tuple(Change(f"package-{n}", "changed", "version", "1" * 90, "2" * 90) for n in range(4000))
    page = diff_markdown(replace(DIFFERENT, sections=(Section("packages", more),)))
    assert len(page) < 65_536
    assert page.endswith("`repro diff` shows all of it.\n")


def test_annotations_name_files_and_cannot_be_broken_out_of() -> None:
    first, second, third = check_annotations(STALE).splitlines()
    assert first.startswith(
        "::error file=evaluate.ipynb,title=repro check%3A files::evaluate.ipynb: its content is not"
    )
    assert first.endswith(
        "; restore it%0Acell 3: changed%0A  - booster.num_boosted_rounds()%0A"
        '  + booster.set_param({"nthread": 1})%0Acell 7: new'
    )
    assert second.startswith("::error file=data/x%2Cy%3A1.csv,title=repro check%3A files::data/x,y:1.csv: its content")
    assert third == (
        "::warning file=requirements.txt,title=repro check%3A requirements::click: 8.2 is declared; correct it"
    )


def test_annotations_carry_no_control_codes() -> None:
    (item,) = (one for one in STALE.items if one.name == "files")
    hostile = replace(item.findings[0], details=("column \x1b[2J\x00 is new",))
    lines = check_annotations(replace(STALE, items=(replace(item, findings=(hostile,)),)))
    assert not CONTROL.search(lines)


def section(schema: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## .*`{re.escape(schema)}`$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, schema
    return found[1]


@pytest.mark.parametrize(
    ("schema", "data"),
    [("repro.diff/1", diff_json(DIFFERENT)), ("repro.check/1", check_json(replace(STALE, items=ITEMS[1:2])))],
)
def test_each_field_of_a_document_is_in_the_manual_and_no_other(schema: str, data: bytes) -> None:
    document = json.loads(data)
    assert document["schema"] == schema
    expected = {name: keys for name, keys in objects(document).items() if name not in {"before", "after"}}
    if schema == "repro.diff/1":
        assert set(document["before"]) == set(document["after"])
        expected["side"] = set(document["before"])
    assert tables(section(schema)) == expected


def test_the_manual_has_every_aspect() -> None:
    """Those that the code can write."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "repro" / "differ").glob("*.py")]
    named = {name for text in sources for name in re.findall(r'"(?:changed|added|removed)", "([a-z-]+)"', text)}
    table = section("repro.diff/1")
    assert named
    for name in named:
        assert f"`{name}`" in table, name
