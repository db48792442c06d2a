"""From a verdict and trials to an explanation. Pure."""

from collections.abc import Sequence

from repro.proof.behaviour import same_behaviour
from repro.proof.explanation import Conclusion, Explanation, Trial
from repro.proof.factors.model import LeftOut
from repro.proof.protocol import Judge, Ran
from repro.runner.compare import Comparison
from repro.verify.model import Outcome, Verdict


def without_trials(verdict: Verdict, metric: str | None = None) -> Explanation | None:
    """The explanation where nothing moved, or nothing can be compared; None where there is something to explain."""
    if verdict.outcome not in {Outcome.VERIFIED, Outcome.MISMATCH}:
        reason = f"no metric could be compared: {verdict.reason}"
        return Explanation(Conclusion.NOT_COMPARABLE, reason, verdict.fix, verdict)
    if not moved(verdict, metric):
        what = "no metric has moved" if metric is None else f"{metric} has not moved"
        reason = f"{what}: there is nothing to explain"
        return Explanation(Conclusion.NOTHING_MOVED, reason, None, verdict)
    return None


def moved(verdict: Verdict, metric: str | None) -> Sequence[Comparison]:
    """The metrics that are beyond their tolerance, for the better or not."""
    beyond = [one for one in verdict.metrics if one.status in {"moved", "improved"}]
    return [one for one in beyond if metric in {None, one.name}]


def suspected(verdict: Verdict) -> str:
    """What a verdict came to and what it suspects first, in one sentence."""
    if not verdict.causes:
        return f"{verdict.reason}; nothing is known to differ"
    first = verdict.causes[0]
    return f"{verdict.reason}; {first.confidence}: {first.message}"


def nondeterministic(verdict: Verdict, judge: Judge, again: Ran, cell: str, *, runs: int) -> Explanation:
    """The end of a search that can't begin: the second run isn't like the first; `cell` is where they first differ."""
    pairs = [(one, judge.here.get(one.name), again.metrics.get(one.name)) for one in judge.metrics]
    differing = [
        f"{one.name} was {first!r}, then {then!r}" for one, first, then in pairs if not same_behaviour(one, first, then)
    ]
    what = f"the second run failed: {again.failure}" if again.failure else differing[0]
    where = f"; first in {cell}" if cell else ""
    return Explanation(
        Conclusion.NONDETERMINISTIC,
        f"two runs of the image as it is differ, so that no swap could prove anything: {what}{where}",
        "Fix what draws without a seed, reads from the network or asks the clock; `repro capture --runs 2` names it.",
        verdict,
        metrics=tuple(one.name for one in judge.metrics),
        runs=runs,
    )


def concluded(
    verdict: Verdict, judge: Judge, trials: tuple[Trial, ...], left_out: tuple[LeftOut, ...], *, runs: int
) -> Explanation:
    """What the trials prove; without a causal one it is unexplained, never a guess."""
    names = tuple(one.name for one in judge.metrics)
    causal = [trial for trial in trials if trial.result == "causal"]
    if causal:
        told = " and ".join(f"{one.title} ({one.laptop} on the laptop, {one.here} here)" for one in causal)
        conclusion, fix = Conclusion.CAUSAL, causal[0].fix
        reason = f"proved: {told} moves {', '.join(names)}, both ways, twice each"
    else:
        conclusion, fix = Conclusion.UNEXPLAINED, _NEXT
        reason = f"unexplained: no factor that was swapped moves {', '.join(names)} both ways" if trials else _NOTHING
    return Explanation(conclusion, reason, fix, verdict, names, trials, left_out, runs)


_NEXT = "See what verify suspects; if packages differ from those of an older lock, `repro bisect` finds which."
_NOTHING = "unexplained: nothing that can be swapped differs between the laptop and this run"
