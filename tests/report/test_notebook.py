"""Executed notebooks out of containers: side by side where they differ, harmless, and never in the report's way."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.report.cells import as_notebook, read_cells
from repro.report.dossier import Executed
from repro.report.notebook import Row, rows
from repro.runner.documents import CellRun
from tests.report.pages import HOSTILE, code, evaluation, notebook, png, prints, shows, text


def executed(data: bytes, kind: str = "notebook") -> Executed:
    return Executed(kind, data, "a run")


def shown(here: bytes, laptop: bytes | None = None, kind: str = "notebook") -> list[Row]:
    found = rows(executed(here, kind), None if laptop is None else executed(laptop, kind), [CellRun(1, 2.5)])
    assert found is not None
    return found


def test_cells_that_show_something_else_stand_side_by_side() -> None:
    found = shown(evaluation(0.5, (1, 2, 3)), evaluation(0.75, (3, 2, 1)))
    assert [(row.title, row.difference) for row in found] == [
        ("", ""),
        ("cell 1", ""),
        ("cell 2", "differs in text, line 1"),
        ("cell 3", "differs in HTML, line 1"),
        ("cell 4", "differs in a picture"),
        ("cell 5", ""),
    ]
    assert [row.laptop is not None for row in found] == [False, False, True, True, True, False]
    assert "0.75" in (found[2].laptop or "")
    assert "0.5" in found[2].here
    assert found[1].seconds == 2.5


def test_nothing_is_told_of_a_laptop_that_is_not_known() -> None:
    assert {row.difference for row in shown(evaluation(0.5, (1, 2, 3)))} == {""}


def test_a_run_that_ended_early_still_shows_its_cells() -> None:
    short = notebook(text("# Head"), code("x"), code("y"))
    found = shown(short, notebook(text("# Head"), code("x", prints("1")), code("y", prints("2"))))
    assert [bool(row.difference) for row in found] == [False, True, True]
    assert found[1].here == ""


def test_what_a_script_printed_is_compared_too() -> None:
    (same,) = shown(b"auc 0.5\ntook 3.1 s\n", b"auc 0.5\ntook 2.2 s\n", "output")
    assert (same.difference, same.laptop) == ("", None)
    (other,) = shown(b"auc <b>\n", b"auc 0.75\n", "output")
    assert other.difference == "differs in output, line 1"
    assert "auc &lt;b&gt;" in other.here
    (long,) = shown(b"x\n" * 100_000, None, "output")
    assert len(long.here) < 11_000


def test_a_script_and_a_notebook_are_not_compared() -> None:
    found = rows(executed(b"1\n", "output"), executed(evaluation(0.5, (1, 2, 3))), ())
    assert found is not None
    assert found[0].laptop is None


def test_only_harmless_markup_is_left() -> None:
    markup = "".join(f"{row.source}{row.here}" for row in shown(HOSTILE))
    assert not re.search(r"<(script|style|iframe|link|meta|form|input|svg|textarea|object|base)", markup)
    for tag in re.findall(r"<[a-z][^>]*>", markup):
        assert not re.search(r"\s(on\w+|href|srcdoc|action)=", tag)
        assert not re.search(r"\ssrc=(?!\"data:image/(png|jpeg|svg\+xml);base64,)", tag)
        assert "url(" not in tag
    assert "styled" in markup
    assert "plain" in markup


def test_tables_pictures_colours_and_errors_are_shown() -> None:
    _, printed, _, table, picture, error = shown(evaluation(0.5, (9, 9, 9)))
    assert "285 rows" in printed.here
    assert re.search(r"<th>auc</th>.*<td>0.5</td>", table.here, re.DOTALL)
    assert "color: red" not in table.here
    assert f'src="data:image/png;base64,{png((9, 9, 9))}"' in picture.here
    assert 'alt="picture that cell 4 shows"' in picture.here
    assert 'class="ansi-red-fg"' in error.here


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"cells": 1}', b'{"cells": null}', b"[" * 100_000])
def test_what_is_no_notebook_shows_nothing(data: bytes) -> None:
    assert rows(executed(data), None, ()) is None


ODD = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
OUTPUTS = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result", "x"]) | ODD},
    optional={
        "name": ODD,
        "text": ODD,
        "traceback": ODD,
        "data": ODD
        | st.dictionaries(st.sampled_from(["image/png", "text/html", "text/plain", "x/y"]), ODD, max_size=2),
    },
)
CELLS = ODD | st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw"]) | ODD},
    optional={"source": ODD, "outputs": ODD | st.lists(OUTPUTS | ODD, max_size=3)},
)


@settings(deadline=None, max_examples=60)
@given(st.lists(CELLS, max_size=4))
def test_anything_in_the_place_of_cells_is_read_or_left_out(cells: list[object]) -> None:
    data = json.dumps({"cells": cells}).encode()
    found = rows(executed(data), executed(data), ())
    assert found is not None
    assert all(row.difference == "" for row in found)


def test_the_best_way_to_show_an_output_is_chosen() -> None:
    cells = read_cells(notebook(code("x", shows(text_html="<b>h</b>", image_png=png((1, 1, 1)), text_plain="p"))))
    assert cells is not None
    assert list(as_notebook(cells)["cells"][0]["outputs"][0]["data"]) == ["image/png"]


def test_endless_texts_are_cut() -> None:
    (row,) = shown(notebook(code("x", prints("y" * 1_000_000))))
    assert len(row.here) < 210_000
    assert "800000 more characters" in row.here


@pytest.mark.parametrize("markup", ["<div>" * 20_000, "</b>" * 9_000 + "<b>" * 9_000 + "</b>" * 9_000])
def test_markup_that_nests_without_end_is_shown_as_text(markup: str) -> None:
    (row,) = shown(notebook(code("x", shows(text_html=markup))))
    assert row.here.count("&lt;") == markup.count("<")
    (row,) = shown(notebook(text(markup)))
    assert "<b>" not in row.source
    assert row.source.count("<div>") < 10


def test_markup_without_end_is_shown_as_text_from_some_cell_on() -> None:
    table = "<table>" + "<tr><td>1</td></tr>" * 9_000 + "</table>"
    cells = read_cells(notebook(*[code("x", shows(text_html=table)) for _ in range(20)]))
    assert cells is not None
    kinds = [next(iter(cell.outputs[0]["data"])) for cell in cells]
    assert kinds == ["text/html"] * 11 + ["text/plain"] * 9
