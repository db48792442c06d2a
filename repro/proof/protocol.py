"""The experiment itself: one factor is swapped, both ways, twice each. Pure: runs are asked of a laboratory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from repro.progress import Progress
from repro.proof.behaviour import same_behaviour
from repro.proof.explanation import Result, Trial, TrialRun
from repro.proof.factors.model import Setting, Swap
from repro.proof.smallest import Names, closures, smallest
from repro.runner.documents import ExpectedMetric, Value
from repro.runner.experiment import Experiment

TWICE = 2


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one run: metrics by name, and why it failed, or ""."""

    metrics: Mapping[str, Value]
    failure: str = ""


class Laboratory(Protocol):
    """Where experiments are run."""

    def run(self, experiment: Experiment) -> Ran:
        """Run the image's evaluation in these circumstances. Raises InfrastructureError where the engine fails."""
        ...


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells whose behaviour a run shows.

    Attributes:
        metrics: Those that have to move, with the laptop's values and their tolerances.
        here: Their values here, as it is.
    """

    metrics: Sequence[ExpectedMetric]
    here: Mapping[str, Value]

    def like_laptop(self, ran: Ran) -> bool:
        """Whether every metric passes as the laptop's."""
        return all(same_behaviour(one, one.value, ran.metrics.get(one.name)) for one in self.metrics)

    def like_here(self, ran: Ran) -> bool:
        """Whether every metric is as in the run that is to be explained."""
        return all(same_behaviour(one, self.here.get(one.name), ran.metrics.get(one.name)) for one in self.metrics)

    def seen(self, ran: Ran) -> TrialRun:
        """What is told of a run."""
        return TrialRun(tuple(ran.metrics.get(one.name) for one in self.metrics), ran.failure)


def experiment(swaps: Sequence[Swap], judge: Judge, laboratory: Laboratory, progress: Progress) -> tuple[Trial, ...]:
    """Swap each factor whose laptop's value is known; then all of them; then those whose value is only tried.

    Args:
        swaps: The most suspected first.
        judge: Tells the behaviours apart.
        laboratory: Where to run.
        progress: Told of each trial.

    A factor is causal only where its swap moves the metrics both ways, each time twice. What only several factors do
    together is looked for by delta debugging when no single one is causal.
    """
    known = [swap for swap in swaps if swap.known]
    trials = [_told(_trial(swap, known, judge, laboratory), progress) for swap in known]
    if len(known) > 1 and not any(trial.result == "causal" for trial in trials):
        trials += [_told(trial, progress) for trial in _together(known, judge, laboratory)]
    for swap in (swap for swap in swaps if not swap.known):
        if any(trial.result == "causal" for trial in trials):
            break
        trials.append(_told(_trial(swap, known, judge, laboratory), progress))
    return tuple(trials)


def merged(settings: Sequence[Setting]) -> Experiment:
    """One experiment of several settings; later ones win."""
    found = Experiment()
    for one in (setting.experiment for setting in settings):
        found = Experiment(
            environment={**found.environment, **one.environment},
            order=one.order or found.order,
            listings=one.listings or found.listings,
            clock=found.clock if one.clock is None else one.clock,
        )
    return found


def _trial(swap: Swap, known: Sequence[Swap], judge: Judge, laboratory: Laboratory) -> Trial:
    others = [one.laptop for one in known if one.factor != swap.factor]
    trial = Trial(swap.factor, swap.title, swap.laptop.text, swap.here.text, swap.known, "no-flip", (), (), swap.fix)
    return _both_ways(trial, swap.laptop.experiment, merged([*others, swap.here]), judge, laboratory)


def _both_ways(trial: Trial, there: Experiment, back: Experiment, judge: Judge, laboratory: Laboratory) -> Trial:
    """Run to the laptop's value twice, then back twice; the first run that doesn't follow ends it."""
    forward = list(_while(judge.like_laptop, there, laboratory))
    values = tuple(map(judge.seen, forward))
    steady = len(forward) == TWICE and judge.like_laptop(forward[-1])
    if not steady:
        result: Result = "no-flip" if len(forward) == 1 else "unsteady"
        return replace(trial, result=result, forward=values)
    returned = list(_while(judge.like_here, back, laboratory))
    moved = len(returned) == TWICE and judge.like_here(returned[-1])
    result = "causal" if moved else "one-way"
    return replace(trial, result=result, forward=values, back=tuple(map(judge.seen, returned)))


def _while(follows: Callable[[Ran], bool], circumstances: Experiment, laboratory: Laboratory) -> Iterator[Ran]:
    for _ in range(TWICE):
        ran = laboratory.run(circumstances)
        yield ran
        if not follows(ran):
            return


def _together(known: Sequence[Swap], judge: Judge, laboratory: Laboratory) -> Iterator[Trial]:
    """The smallest set of factors that does what no single one does; nothing when all of them don't."""
    by_name = {swap.factor: swap for swap in known}
    if not judge.like_laptop(laboratory.run(merged([swap.laptop for swap in known]))):
        return

    def first_moved(candidates: Sequence[Names]) -> int | None:
        for number, names in enumerate(candidates):
            chosen = [swap.laptop for swap in known if swap.factor in names]
            if len(names) > 1 and judge.like_laptop(laboratory.run(merged(chosen))):
                return number
        return None

    found = [by_name[name] for name in smallest(list(by_name), closures({}, list(by_name)), first_moved)]
    rest = [swap.laptop for swap in known if swap not in found]
    trial = Trial(
        factor=" + ".join(swap.factor for swap in found),
        title=" and ".join(swap.title for swap in found),
        laptop=", ".join(swap.laptop.text for swap in found),
        here=", ".join(swap.here.text for swap in found),
        known=True,
        result="no-flip",
        forward=(),
        fix=" ".join(swap.fix for swap in found),
    )
    there, back = merged([swap.laptop for swap in found]), merged([*rest, *(swap.here for swap in found)])
    yield _both_ways(trial, there, back, judge, laboratory)


_WORDS: Mapping[Result, str] = {
    "causal": "moves the metric both ways",
    "one-way": "gives the laptop's number, but setting it back doesn't give this machine's",
    "unsteady": "gave the laptop's number once, not twice",
    "no-flip": "doesn't give the laptop's number",
}


def _told(trial: Trial, progress: Progress) -> Trial:
    progress.note(f"{trial.title}, {trial.laptop} instead of {trial.here}: {_WORDS[trial.result]}")
    return trial
