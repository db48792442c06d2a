"""The search with a bench that only pretends to run images: answers, number of runs, limits, resuming."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import IntegrityError
from repro.proof.bisect import bisect
from repro.proof.bisection import Answer, Bisection
from repro.proof.changes import Change
from repro.proof.journal import Journal, Measured
from repro.proof.smallest import Names, closures
from repro.runner.documents import ExpectedMetric, Value

AUC = ExpectedMetric("auc", 0.91)


@dataclass
class Pretended:
    """A bench in which a planted set of changes moves the metric."""

    value: Callable[[Names], Value | None]
    measured: list[Names] = field(default_factory=list)

    def measure(self, names: Names) -> Measured:
        self.measured.append(names)
        value = self.value(names)
        return Measured(value, "" if value is not None else "it can't be installed", 0.1, ran=value is not None)


def planted(*names: str) -> Pretended:
    return Pretended(lambda tried: 0.85 if set(names) <= tried else 0.91)


def changes(count: int) -> list[Change]:
    return [Change(f"p{number:03}", "changed", "1.0", "2.0") for number in range(count)]


class Desk:
    """Asks the same question again and again."""

    def __init__(self, root: Path, count: int) -> None:
        self.root, self.changes = root, changes(count)

    def ask(self, bench: Pretended, *, resume: bool = False, **options: object) -> Bisection:
        journal = Journal(self.root, {"count": len(self.changes)}, resume=resume)
        together = closures({}, [change.name for change in self.changes])
        return bisect(self.changes, together, AUC, bench, journal, **options)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=12)
@given(count=st.integers(40, 160), data=st.data())
def test_a_planted_package_is_found_in_few_runs(
    count: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = f"p{data.draw(st.integers(0, count - 1)):03}"
    bench = planted(name)
    found = Desk(tmp_path_factory.mktemp("desk"), count).ask(bench)
    assert (found.answer, [change.name for change in found.changes]) == (Answer.FOUND, [name])
    assert found.confirmed is True
    assert found.runs == len(bench.measured) <= 2 * math.log2(count) + 4


def test_it_says_when_no_single_package_does_it(tmp_path: Path) -> None:
    found = Desk(tmp_path, 40).ask(planted("p003", "p031"))
    assert (found.answer, [change.name for change in found.changes]) == (Answer.SEVERAL, ["p003", "p031"])
    assert found.reason.startswith("no single package moves auc")


def test_it_says_when_packages_explain_nothing(tmp_path: Path) -> None:
    bench = Pretended(lambda _: 0.91)
    found = Desk(tmp_path, 40).ask(bench)
    assert (found.answer, found.changes, found.runs) == (Answer.NOT_PACKAGES, (), 3)
    assert "packages don't explain it" in found.reason


def test_it_says_when_there_are_two_culprits_that_each_do_it(tmp_path: Path) -> None:
    bench = Pretended(lambda tried: 0.85 if tried & {"p003", "p031"} else 0.91)
    found = Desk(tmp_path, 40).ask(bench)
    assert found.confirmed is False
    assert "other changes move the metric, too" in found.reason


def test_a_metric_that_is_missing_with_all_changes_can_not_be_searched(tmp_path: Path) -> None:
    bench = Pretended(lambda tried: None if len(tried) == 40 else 0.91)
    found = Desk(tmp_path, 40).ask(bench)
    assert found.answer is Answer.NOT_COMPARABLE
    assert "it can't be installed" in found.reason


def test_a_third_value_is_neither_behaviour(tmp_path: Path) -> None:
    """One half moves the metric to something else; only both together make it what it is with B."""
    values = {0: 0.91, 1: 0.88, 2: 0.85}
    bench = Pretended(lambda tried: values[len(tried & {"p001", "p002"})])
    found = Desk(tmp_path, 8).ask(bench)
    assert {change.name for change in found.changes} == {"p001", "p002"}


def test_runs_of_a_that_differ_end_the_search(tmp_path: Path) -> None:
    values = iter([0.91, 0.90])
    found = Desk(tmp_path, 40).ask(Pretended(lambda _: next(values)))
    assert (found.answer, found.runs) == (Answer.NOT_COMPARABLE, 2)
    assert found.reason.endswith("0.91, then 0.9")


def test_it_stops_where_it_is_told_to_and_goes_on_from_there(tmp_path: Path) -> None:
    desk, first = Desk(tmp_path, 64), planted("p045")
    stopped = desk.ask(first, max_runs=6)
    assert (stopped.answer, stopped.runs) == (Answer.STOPPED, 6)
    assert "p045" in {change.name for change in stopped.changes}
    assert len(stopped.changes) < 64
    second = planted("p045")
    found = desk.ask(second, resume=True)
    assert (found.answer, found.reused) == (Answer.FOUND, 6)
    assert not set(second.measured) & set(first.measured)


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 8)
    runs = desk.ask(planted("p005")).runs
    again = planted("p005")
    assert desk.ask(again).runs == len(again.measured) == runs


def test_whatever_ends_a_search_its_results_are_kept(tmp_path: Path) -> None:
    desk, asked = Desk(tmp_path, 16), []

    def interrupted(tried: Names) -> float:
        asked.append(tried)
        if len(asked) == 5:
            raise KeyboardInterrupt
        return 0.85 if "p011" in tried else 0.91

    with pytest.raises(KeyboardInterrupt):
        desk.ask(Pretended(interrupted))
    assert desk.ask(planted("p011"), resume=True).reused == 4


def test_a_journal_that_is_damaged_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {"q": 1}, resume=False)
    journal.put(frozenset({"p"}), Measured(0.5))
    assert json.loads(journal.path.read_bytes())["tried"][0]["changes"] == ["p"]
    journal.path.write_bytes(b"{")
    with pytest.raises(IntegrityError, match="can't be resumed"):
        Journal(tmp_path, {"q": 1}, resume=True)


def test_several_jobs_find_the_same(tmp_path: Path) -> None:
    bench = planted("p029")
    found = Desk(tmp_path, 40).ask(bench, jobs=2)
    assert [change.name for change in found.changes] == ["p029"]
    assert len(bench.measured) <= 2 * math.log2(40) + 4


def test_exact_values_of_every_type_survive_the_journal(tmp_path: Path) -> None:
    values: list[Value] = [0.1 + 0.2, float("nan"), 10**30, True, "label"]
    journal = Journal(tmp_path, {}, resume=False)
    for number, value in enumerate(values):
        journal.put(frozenset({str(number)}), Measured(value))
    kept = [Journal(tmp_path, {}, resume=True).get(frozenset({str(number)})) for number in range(len(values))]
    assert [repr(one.value) for one in kept if one] == [repr(value) for value in values]
