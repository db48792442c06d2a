"""The search alone: it finds what was planted, in few runs, whatever else can't be installed apart."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.proof.smallest import Names, closures, smallest


class Oracle:
    """Moves when all of a planted set is there; remembers what it was asked, each set once."""

    def __init__(self, planted: set[str], broken: Callable[[Names], bool] = lambda _: False) -> None:
        self.planted, self.broken = planted, broken
        self.asked: list[Names] = []

    def __call__(self, candidates: Sequence[Names]) -> int | None:
        for number, names in enumerate(candidates):
            if names not in self.asked:
                self.asked.append(names)
            if not self.broken(names) and self.planted <= names:
                return number
        return None


def names(count: int) -> list[str]:
    return [f"p{number:03}" for number in range(count)]


@settings(deadline=None, max_examples=200)
@given(st.integers(2, 200), st.data())
def test_one_planted_change_takes_at_most_twice_the_logarithm(count: int, data: st.DataObject) -> None:
    changes = names(count)
    planted = data.draw(st.sampled_from(changes))
    oracle = Oracle({planted})
    assert smallest(changes, closures({}, changes), oracle) == (planted,)
    assert len(oracle.asked) <= 2 * math.log2(count)


@pytest.mark.parametrize("count", [40, 41, 63, 64, 100])
def test_the_bound_holds_wherever_the_change_is(count: int) -> None:
    changes = names(count)
    for planted in changes:
        oracle = Oracle({planted})
        assert smallest(changes, closures({}, changes), oracle) == (planted,)
        assert len(oracle.asked) <= 2 * math.log2(count)


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 40), st.data())
def test_several_changes_that_only_move_it_together_are_all_found(count: int, data: st.DataObject) -> None:
    changes = names(count)
    planted = data.draw(st.sets(st.sampled_from(changes), min_size=1, max_size=4))
    assert set(smallest(changes, closures({}, changes), Oracle(planted))) == planted


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 40), st.data())
def test_only_closed_sets_are_tried_and_the_planted_one_is_found_with_its_needs(
    count: int, data: st.DataObject
) -> None:
    changes = names(count)
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(changes), st.sampled_from(changes)), max_size=count))
    needs = {name: {other for one, other in pairs if one == name} for name in changes}
    together = closures(needs, changes)
    planted = data.draw(st.sampled_from(changes))
    oracle = Oracle({planted})
    assert set(smallest(changes, together, oracle)) == together[planted]
    assert all(together[name] <= tried for tried in oracle.asked for name in tried)


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 24), st.data())
def test_what_cannot_be_tried_never_hides_the_planted_change(count: int, data: st.DataObject) -> None:
    """Sets that hold one change without another fail to evaluate: the result holds the culprit, and still moves it."""
    changes = names(count)
    one, other = data.draw(st.sampled_from(changes)), data.draw(st.sampled_from(changes))
    planted = data.draw(st.sampled_from(changes))
    oracle = Oracle({planted}, broken=lambda tried: (one in tried) != (other in tried))
    found = smallest(changes, closures({}, changes), oracle)
    assert planted in found
    assert set(found) <= {planted, one, other}


def test_each_smaller_set_is_told() -> None:
    heard: list[tuple[str, ...]] = []
    changes = names(8)
    smallest(changes, closures({}, changes), Oracle({"p005"}), lambda left: heard.append(tuple(left)))
    assert [len(left) for left in heard] == [4, 2, 1]


def test_what_needs_each_other_is_one_piece() -> None:
    changes = names(6)
    together = closures({"p001": {"p004"}, "p004": {"p001"}}, changes)
    assert smallest(changes, together, Oracle({"p004"})) == ("p001", "p004")
