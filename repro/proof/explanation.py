"""What `repro explain` comes to. Values only; their JSON is in docs/formats/json.md."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from repro.errors import ExitCode
from repro.proof.factors.model import LeftOut
from repro.runner.documents import Value
from repro.verify.model import Verdict


class Conclusion(StrEnum):
    """How an explanation can end."""

    NOT_TRIED = "not-tried"
    NOTHING_MOVED = "nothing-moved"
    NOT_COMPARABLE = "not-comparable"
    NONDETERMINISTIC = "nondeterministic"
    CAUSAL = "causal"
    UNEXPLAINED = "unexplained"


Result = Literal["causal", "no-flip", "one-way", "unsteady"]


@dataclass(frozen=True, slots=True)
class TrialRun:
    """One run of a trial: the metrics in order, None where unreported, and why it failed, or ""."""

    values: tuple[Value | None, ...]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One factor, swapped.

    Attributes:
        factor: Name of its rule; several joined by ` + ` where only together they did something.
        title: What it is, for people.
        laptop: Its value on the laptop, or one that was tried as such.
        here: Its value here.
        known: Whether the laptop's value is evidence.
        result: "causal": set to the laptop's value the metrics are the laptop's, and set back they are this
            machine's, twice each; "one-way": the second doesn't hold; "unsteady": the first holds once, not twice;
            "no-flip": it doesn't hold.
        forward: The runs with the laptop's value, in order.
        back: The same in the runs with this machine's value while the other known factors are the laptop's.
        fix: What to do when it is the cause.
    """

    factor: str
    title: str
    laptop: str
    here: str
    known: bool
    result: Result
    forward: tuple[TrialRun, ...]
    back: tuple[TrialRun, ...] = ()
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An explanation with what it rests on.

    Attributes:
        conclusion: How it ended.
        reason: One sentence.
        fix: What to do, or None.
        metrics: Names of the metrics that had to move, in the order of the values in trials.
        trials: Factors that were swapped, in order.
        left_out: Factors that were not, and why.
        runs: Runs of the image, the verification's own included; 0 where an earlier verdict was shown.
        verdict: The verification that is explained.
    """

    conclusion: Conclusion
    reason: str
    fix: str | None
    verdict: Verdict
    metrics: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    runs: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """0 with an answer, or nothing to explain; 1 without; the verdict's where there was nothing to compare."""
        match self.conclusion:
            case Conclusion.NOT_COMPARABLE:
                return self.verdict.outcome.exit_code
            case Conclusion.NONDETERMINISTIC | Conclusion.UNEXPLAINED:
                return ExitCode.MISMATCH
            case _:
                return ExitCode.OK
