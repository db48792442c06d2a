"""What a search for package changes comes to. Values only."""

from dataclasses import dataclass
from enum import StrEnum

from repro.errors import ExitCode
from repro.proof.changes import Change
from repro.runner.documents import Value


class Answer(StrEnum):
    """How a search can end."""

    FOUND = "found"
    SEVERAL = "several"
    NOT_PACKAGES = "not-packages"
    NOT_COMPARABLE = "not-comparable"
    STOPPED = "stopped"

    @property
    def exit_code(self) -> ExitCode:
        """0 for an answer, 1 for none yet, 6 when there is nothing to compare."""
        codes = {Answer.NOT_COMPARABLE: ExitCode.NOT_COMPARABLE, Answer.STOPPED: ExitCode.MISMATCH}
        return codes.get(self, ExitCode.OK)


@dataclass(frozen=True, slots=True)
class Step:
    """One mixture that was measured.

    Attributes:
        changes: Names of the changes that were made.
        value: The metric, or None.
        like: "A", "B", or "" when it is like neither or there is no value.
        reason: Why there is no value, else "".
        kept: Whether the result is that of an earlier search.
        ran: Whether an image was run for it, now or then.
    """

    changes: tuple[str, ...]
    value: Value | None
    like: str
    reason: str
    kept: bool
    ran: bool


@dataclass(frozen=True, slots=True)
class Bisection:
    """The result of a search.

    Attributes:
        answer: How it ended.
        reason: One sentence.
        metric: Name of the metric.
        changes: The smallest set that was found; when stopped, what is still suspected.
        total: Number of changes between the environments.
        before: The metric here with A's packages, or None.
        after: The metric here with all of B's packages, or None.
        confirmed: Whether all changes but these leave the metric as with A; None when that wasn't or can't be tried.
        runs: Images that were run now.
        reused: Results that an earlier search had left.
        steps: Everything that was measured, in order.
        beside: What else differs between the locks and was left as in A.
    """

    answer: Answer
    reason: str
    metric: str
    changes: tuple[Change, ...]
    total: int
    before: Value | None
    after: Value | None
    confirmed: bool | None
    runs: int
    reused: int
    steps: tuple[Step, ...]
    beside: tuple[str, ...] = ()
