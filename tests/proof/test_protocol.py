"""One factor at a time, both ways, twice each, with a laboratory that only pretends to run images."""

from collections.abc import Callable
from dataclasses import dataclass, field

from repro.progress import Silent
from repro.proof.explanation import Trial, TrialRun
from repro.proof.factors.model import Setting, Swap
from repro.proof.protocol import Judge, Ran, experiment, merged
from repro.runner.documents import ExpectedMetric, Value
from repro.runner.experiment import Experiment

AUC = ExpectedMetric("auc", 0.9)
World = Callable[[dict[str, str]], Value]


@dataclass
class Pretended:
    """What a run gives is decided by the variables that it gets."""

    world: World
    asked: list[dict[str, str]] = field(default_factory=list)

    def run(self, experiment: Experiment) -> Ran:
        self.asked.append(experiment.environment)
        try:
            return Ran({"auc": self.world(experiment.environment)})
        except RuntimeError as error:
            return Ran({}, str(error))


def setting(**variables: str) -> Setting:
    return Setting(",".join(variables.values()), Experiment(environment=variables))


def swap(name: str, *, known: bool = True) -> Swap:
    there, here = setting(**{name: "laptop"}), setting(**{name: "here"})
    return Swap(name, f"the {name}", there, here, f"pin {name}", known=known)


def tried(world: World, *swaps: Swap) -> tuple[tuple[Trial, ...], Pretended]:
    laboratory = Pretended(world)
    judge = Judge([AUC], {"auc": 0.8})
    return experiment(swaps, judge, laboratory, Silent()), laboratory


def needs(*names: str) -> World:
    return lambda given: 0.9 if all(given.get(name) == "laptop" for name in names) else 0.8


def results(trials: tuple[Trial, ...]) -> dict[str, str]:
    return {trial.factor: trial.result for trial in trials}


def test_the_factor_that_moves_it_both_ways_is_causal_and_no_other() -> None:
    trials, laboratory = tried(needs("b"), swap("a"), swap("b"), swap("c"))
    assert results(trials) == {"a": "no-flip", "b": "causal", "c": "no-flip"}
    assert trials[1].forward == (TrialRun((0.9,)), TrialRun((0.9,)))
    assert trials[1].back == (TrialRun((0.8,)), TrialRun((0.8,)))
    assert len(laboratory.asked) == 1 + 4 + 1


def test_on_the_way_back_all_other_factors_are_as_on_the_laptop() -> None:
    _, laboratory = tried(needs("b"), swap("a"), swap("b"))
    assert {"a": "laptop", "b": "here"} in laboratory.asked


def test_two_factors_that_each_do_it_are_proved_only_together() -> None:
    """With the other one as on the laptop, setting one back changes nothing: no proof for one alone."""
    trials, _ = tried(lambda given: 0.9 if "laptop" in given.values() else 0.8, swap("a"), swap("b"))
    assert results(trials) == {"a": "one-way", "b": "one-way", "a + b": "causal"}


def test_another_value_than_this_machines_is_no_way_back() -> None:
    world = {"laptop": 0.9, "here": 0.7}
    trials, _ = tried(lambda given: world[given["a"]], swap("a"))
    assert results(trials) == {"a": "one-way"}


def test_what_holds_once_is_unsteady() -> None:
    values = iter([0.9, 0.8])
    trials, _ = tried(lambda _: next(values), swap("a"))
    assert results(trials) == {"a": "unsteady"}


def test_a_run_that_fails_flips_nothing() -> None:
    def world(_: dict[str, str]) -> Value:
        raise RuntimeError("illegal instruction")

    trials, _ = tried(world, swap("a"))
    assert results(trials) == {"a": "no-flip"}
    assert trials[0].forward == (TrialRun((None,), "illegal instruction"),)


def test_factors_that_only_do_it_together_are_found_together() -> None:
    trials, _ = tried(needs("a", "d"), *map(swap, "abcd"))
    assert results(trials) == dict.fromkeys("abcd", "no-flip") | {"a + d": "causal"}
    assert trials[-1].fix == "pin a pin d"


def test_without_a_flip_nothing_is_causal() -> None:
    trials, laboratory = tried(lambda _: 0.8, *map(swap, "abc"))
    assert set(results(trials).values()) == {"no-flip"}
    assert len(laboratory.asked) == 3 + 1


def test_values_that_are_only_tried_come_last_and_only_without_a_proof() -> None:
    trials, _ = tried(needs("b"), swap("t", known=False), swap("b"))
    assert results(trials) == {"b": "causal"}
    trials, _ = tried(needs("t"), swap("t", known=False), swap("b"))
    assert results(trials) == {"b": "no-flip", "t": "causal"}
    assert [trial.known for trial in trials] == [True, False]


def test_all_metrics_that_moved_have_to_follow() -> None:
    both = [AUC, ExpectedMetric("loss", 0.1)]
    judge = Judge(both, {"auc": 0.8, "loss": 0.2})

    class Half:
        def run(self, experiment: Experiment) -> Ran:
            return Ran({"auc": 0.9 if experiment.environment["a"] == "laptop" else 0.8, "loss": 0.2})

    assert results(experiment([swap("a")], judge, Half(), Silent())) == {"a": "no-flip"}


def test_settings_are_merged_later_ones_first() -> None:
    shim = Setting("", Experiment(order="listed", listings={"data": ["b", "a"]}, clock=5.0))
    found = merged([setting(a="1", b="2"), shim, setting(b="3")])
    assert found == Experiment({"a": "1", "b": "3"}, "listed", {"data": ["b", "a"]}, 5.0)
