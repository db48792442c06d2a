"""Several runs of one image: what is said of each metric, and where the runs first show something else."""

import json
import math
from pathlib import Path

import pytest

from repro.runner.documents import ExpectedMetric, MeasuredMetric, Value
from repro.runner.notebook import EXECUTED
from repro.runner.script import LOG_FILE
from repro.verify.repeats import Shown, differing, read_shown, shift, shift_of_one, summarize_runs

LAPTOP = [0.90, 0.91, 0.905, 0.912, 0.899]
HERE = [0.87, 0.88, 0.872, 0.881]


def statement(expected: ExpectedMetric | None, *values: Value | None) -> str:
    runs = [[] if value is None else [MeasuredMetric("auc", value, "metrics.json")] for value in values]
    (one,) = summarize_runs([] if expected is None else [expected], runs, [None] * len(runs)).metrics
    return one.statement


def test_welchs_test_is_scipys() -> None:
    """scipy 1.17: standard error of ttest_ind(HERE, LAPTOP, equal_var=False), t.ppf for 6 of its 6.7 degrees."""
    found = shift(LAPTOP, HERE)
    assert found.distance == pytest.approx(-0.02945, rel=1e-12)
    assert found.limit == pytest.approx(0.014102447371696523, rel=1e-8)
    assert found.seen
    assert found.smallest == pytest.approx(0.01957904180242236, rel=1e-8)


def test_a_single_value_is_held_against_the_prediction_interval() -> None:
    found = shift_of_one(0.875, HERE)
    assert not found.seen
    assert (found.limit, found.smallest) == pytest.approx((0.03631046422928097, 0.046491628602522685), rel=1e-8)
    assert shift_of_one(0.95, HERE).seen


def test_runs_that_agree_are_as_on_the_laptop_or_are_not() -> None:
    assert statement(ExpectedMetric("auc", 0.9), 0.9, 0.9) == "the same bits in all 2 runs, as on the laptop"
    assert (
        statement(ExpectedMetric("auc", 0.9), 0.8, 0.8) == "the same bits in all 2 runs, other ones than on the laptop"
    )
    assert statement(None, 0.9, 0.9) == "the same bits in all 2 runs"
    assert statement(ExpectedMetric("auc", math.nan), math.nan, math.nan).endswith("as on the laptop")


def test_what_differs_between_runs_is_tested_and_the_test_is_named() -> None:
    one = statement(ExpectedMetric("auc", 0.95), *HERE)
    assert "0.87575 ± 0.0056 in 4 runs" in one
    assert "the laptop's one value by the 99 % prediction interval" in one
    assert "-0.074 is beyond chance" in one
    assert "would have been seen in 90 % of cases" in one
    several = statement(ExpectedMetric("auc", 0.9, band=tuple(LAPTOP)), *HERE)
    assert "Welch's t-test against 5 runs on the laptop (99 %): -0.029 is beyond chance" in several
    within = statement(ExpectedMetric("auc", 0.9, band=tuple(LAPTOP)), 0.903, 0.906)
    assert "within chance" in within
    assert "-24 is within chance (limit 185); a shift of 237" in statement(ExpectedMetric("auc", 57), 26, 9, 74, 23)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.9, None), "missing in 1 of 2 runs"),
        ((None, None), "missing in all 2 runs"),
        (("cat", "dog", "cat"), "not the same in every run: cat, dog"),
        ((0.9, math.nan), "not the same in every run: 0.9, nan"),
        ((0.9, math.inf), "not the same in every run: 0.9, inf"),
        ((10**400, 1), f"not the same in every run: {10**400}, 1"),
    ],
)
def test_what_has_no_spread_is_listed(values: tuple[Value | None, ...], said: str) -> None:
    assert statement(ExpectedMetric("auc", 0.9), *values) == said


def test_metrics_that_differ_are_named() -> None:
    runs = [[MeasuredMetric("auc", value, ""), MeasuredMetric("n", 3, "")] for value in (0.1, 0.2)]
    summary = summarize_runs([ExpectedMetric("auc", 0.1), ExpectedMetric("n", 3)], runs, [None, None])
    assert differing(summary) == ("auc",)
    assert summary.runs == 2


def notebook(*texts: str) -> dict[str, object]:
    outputs = [[{"output_type": "stream", "name": "stdout", "text": text}] for text in texts]
    return {"cells": [{"cell_type": "code", "source": "print(x)", "outputs": one} for one in outputs]}


def test_the_first_place_that_differs_is_named(tmp_path: Path) -> None:
    shown: list[Shown] = []
    for number, texts in enumerate([("a\n", "b\n", "c\n"), ("a\n", "b\n", "d\n"), ("a\n", "e\n", "c\n")]):
        place = tmp_path / str(number)
        place.mkdir()
        (place / EXECUTED).write_text(json.dumps(notebook(*texts)))
        shown.append(read_shown(place))
    assert summarize_runs([], [[], [], []], shown).cell == "cell 2 (stdout), line 1: 'b', then 'e'"


def test_scripts_are_compared_by_what_they_print(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).write_text("one\ntwo\n")
    assert read_shown(tmp_path) == "one\ntwo\n"
    assert summarize_runs([], [[], []], ["one\ntwo\n", "one\n2\n"]).cell == "the output, line 2: 'two', then '2'"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"cells": 3}', b'{"cells": [{"cell_type": "code"}]}'])
def test_a_garbled_notebook_shows_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / EXECUTED).write_bytes(data)
    shown = read_shown(tmp_path)
    assert summarize_runs([], [[], []], [shown, notebook("a")]).cell == ""
    assert read_shown(None) is None
    assert read_shown(tmp_path / "none") is None
