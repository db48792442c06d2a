"""What rules look at: the lock, the verdict so far, and what is known of the run on the laptop and of the one here."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repro.lock import Lock
from repro.outputs.compare import OutputDifference
from repro.plan.evaluation import environment_variables
from repro.runner.compare import Comparison
from repro.runner.documents import Failure, RunRecord
from repro.runner.observed import Observed, Place
from repro.verify.model import Finding, Outcome

ROUNDING = 1e-6
"""Largest relative difference that the order of additions, or another kernel, was seen to make in well-behaved work."""

_SETS = re.compile(r"the image sets ([A-Za-z_][A-Za-z0-9_]*)\b")


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one run; None where nothing is.

    Attributes:
        record: What ran, on what, how it was set.
        observed: What it depended on, by place and cell.
        notebook: The executed copy.
        printed: What a script printed.
    """

    record: RunRecord | None = None
    observed: Observed | None = None
    notebook: Mapping[str, Any] | None = None
    printed: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is known of both sides and isn't the same; None where it is not set."""

    name: str
    laptop: str | None
    here: str | None


@dataclass(frozen=True, slots=True)
class Situation:
    """A verdict that is to be explained.

    Attributes:
        lock: What was expected, with the evidence of the laptop.
        outcome: How the verification ended.
        comparisons: Each metric; none where nothing was compared.
        findings: What was seen beside the metrics.
        laptop: The run that the baseline comes from, where its evidence is at hand.
        here: This run.
        variables: Variables of the image.
        memory: Bytes that this run was allowed, or None when unknown.
        sources: Text of the subject and of local modules, by path; of a notebook's cells, by "cell N".
        stored: The notebook as it was locked, with its stored outputs.
        first: The first place where the runs show something else.
        modified: `package: file` of files in the image that aren't what their package brought.
    """

    lock: Lock
    outcome: Outcome
    comparisons: tuple[Comparison, ...] = ()
    findings: tuple[Finding, ...] = ()
    laptop: Side = field(default_factory=Side)
    here: Side = field(default_factory=Side)
    variables: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, Any] | None = None
    first: OutputDifference | None = None
    modified: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[Comparison, ...]:
        """Metrics that stand in the way."""
        return tuple(one for one in self.comparisons if not one.passed)

    @property
    def failure(self) -> Failure | None:
        """Why the evaluation did not complete here, or None."""
        return None if self.here.record is None else self.here.record.failure

    @property
    def failed_with(self) -> str:
        """All that the failure says, or ""."""
        failure = self.failure
        return "" if failure is None else "\n".join((failure.message, failure.traceback, *failure.problems))

    @property
    def only_rounding(self) -> bool:
        """Whether metrics moved, and all of them by no more than rounding explains.

        What computes otherwise is likelier then than what draws, reads or counts otherwise.
        """
        return bool(self.moved) and all(_is_rounding(one) for one in self.moved)

    @property
    def only_failed(self) -> bool:
        """Whether the evaluation failed: what merely moves numbers is no cause of that."""
        return self.failure is not None and not self.moved

    @property
    def ran(self) -> bool:
        """Whether the evaluation came as far as to leave a record of what it ran on."""
        return self.here.record is not None and bool(self.here.record.settings)

    def before_first_difference(self, place: Place) -> bool:
        """Whether something happened in or before the first cell that shows something else.

        What comes later may still be it: a cell may show the name of the machine, or the time.
        """
        last = None if self.first is None else self.first.cell
        return place.cell is None or last is None or place.cell <= last

    def settings(self) -> dict[str, Difference]:
        """Settings and steering variables that differ, by name; variables' names begin with `$`.

        Of a laptop whose record isn't at hand, only what the lock sets is known; of an image that was not run, only
        the variables that were found wrong.
        """
        planned = {f"${name}": value for name, value in environment_variables(self.lock.environment).items()}
        if not self.ran:
            names = self._wrong_variables()
            return _differing({name: planned.get(f"${name}") for name in names}, self.variables, prefix="$")
        assert self.here.record is not None  # noqa: S101 - that is what `ran` says
        here = self.here.record.settings
        if self.laptop.record is not None and self.laptop.record.settings:
            laptop = self.laptop.record.settings
            return _differing({name: laptop.get(name) for name in (*laptop, *here)}, here)
        return _differing(planned, here)

    def _wrong_variables(self) -> list[str]:
        messages = [one.message for one in self.findings if one.kind == "environment"]
        return [found.group(1) for found in map(_SETS.search, messages) if found]

    def found(self, *kinds: str) -> Iterator[Finding]:
        """Findings of these kinds."""
        return (one for one in self.findings if one.kind in kinds)


def _differing(laptop: Mapping[str, str | None], here: Mapping[str, str], prefix: str = "") -> dict[str, Difference]:
    return {
        prefix + name: Difference(prefix + name, value, here.get(name))
        for name, value in laptop.items()
        if value != here.get(name)
    }


def _is_rounding(one: Comparison) -> bool:
    if not (isinstance(one.baseline, float) and isinstance(one.measured, float)):
        return False
    return math.isclose(one.baseline, one.measured, rel_tol=ROUNDING)
