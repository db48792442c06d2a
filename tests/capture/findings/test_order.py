"""Execution counts: cells run in another order, twice, or not at all."""

from tests.capture.findings.notebooks import notebook, of, places


def test_cells_that_ran_before_those_above_them() -> None:
    (finding,) = of("out-of-order", notebook("a = 1", "b = 1", "c = 1", "d = 1", counts=[1, 5, 2, 3]))
    assert (finding.level, finding.place.cell) == ("warning", 3)
    assert finding.what == "its author ran it (In [2]) before cell 2 (In [5]), or in another session; so was cell 4"
    assert of("not-from-top", notebook("a = 1", "b = 1", "c = 1", counts=[1, 5, 2])) == []


def test_two_sessions() -> None:
    assert places("out-of-order", notebook("a = 1", "b = 1", counts=[1, 1])) == [(2, None)]


def test_gaps_in_the_counts() -> None:
    (finding,) = of("not-from-top", notebook("a = 1", "b = 1", "c = 1", counts=[1, 2, 9]))
    assert (finding.level, finding.place.cell) == ("note", 3)
    assert "had run 8 cells before this one, and 2 cells that ran are left" in finding.what
    (first,) = of("not-from-top", notebook("a = 1", counts=[2]))
    assert "had run 1 cell before this one, and no cells that ran are left" in first.what


def test_cells_that_were_not_run() -> None:
    (finding,) = of("not-from-top", notebook("a = 1", "b = 1", "", "c = 1", counts=[1, None, None, 2]))
    assert finding.what == "cells that were not run when the notebook was saved: 2"


def test_no_alarm() -> None:
    clean = [notebook("a = 1", "b = 1", counts=[1, 2]), notebook("a = 1", "b = 1")]
    clean.append(notebook("a = 1", "", "b = 1", counts=[1, None, 2]))
    clean.append(notebook("a = 1", "skipped", "b = 1", counts=[1, None, 2], tags=[[], ["skip-execution"]]))
    for source in clean:
        assert of("out-of-order", source) + of("not-from-top", source) == []


def test_a_comment_in_the_cell_silences_what_is_about_the_cell() -> None:
    assert of("out-of-order", notebook("a = 1", "b = 1\n# repro: allow out-of-order\n", counts=[2, 1])) == []
