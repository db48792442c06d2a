"""Factor `directory-order`."""

from repro.proof.factors import FACTORS
from repro.proof.factors.model import Swap
from repro.runner.experiment import Experiment
from repro.runner.observed import Listing
from tests.proof.factors.scenes import reason, scene, swap


def listed(*names: str) -> tuple[Listing, ...]:
    return (Listing("data", names, 1),)


def test_the_laptops_order_is_given_to_the_run() -> None:
    one = swap(scene(listings=(listed("b", "a", "c"), listed("a", "b", "c"))), "directory-order")
    assert one.laptop.experiment == Experiment(order="listed", listings={"data": ["b", "a", "c"]})
    assert one.here.experiment == Experiment(order="given")


def test_an_order_that_is_not_known_is_tried_sorted_and_reversed() -> None:
    found = [one for rule in FACTORS for one in rule(scene(listings=((), listed("a", "b")))) if isinstance(one, Swap)]
    assert [(one.laptop.text, one.known) for one in found] == [("sorted", False), ("reversed", False)]


def test_more_names_than_a_run_can_be_told_are_left_out() -> None:
    names = [f"{number:06}" for number in range(10_000)]
    told = reason(scene(listings=(listed(*names[::-1]), listed(*names))), "directory-order")
    assert "more names than a run can be told" in told


def test_the_same_order_is_not_swapped() -> None:
    both = (listed("b", "a"), listed("b", "a"))
    assert reason(scene(listings=both), "directory-order") == "the same on both sides: in data"
