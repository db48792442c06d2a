"""Which package changes move a metric: the search over mixtures of two locks, asked of a bench that runs them."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from repro.progress import Progress, Silent
from repro.proof.behaviour import same_behaviour
from repro.proof.bisection import Answer, Bisection, Step
from repro.proof.changes import Change
from repro.proof.journal import Journal, Measured
from repro.proof.smallest import Names, smallest
from repro.runner.documents import ExpectedMetric, Value


class Bench(Protocol):
    """Where mixtures are measured; called by several threads at once."""

    def measure(self, names: Names) -> Measured:
        """Run lock A's evaluation with these changes from lock B. Raises InfrastructureError where it can't."""
        ...


class _StoppedError(Exception):
    """The search may run no more images."""


@dataclass(slots=True)
class _Search:
    metric: ExpectedMetric
    bench: Bench
    journal: Journal
    jobs: int
    max_runs: int | None
    progress: Progress
    order: Sequence[str]
    runs: int = 0
    before: Value | None = None
    after: Value | None = None
    steps: dict[Names, Step] = field(default_factory=dict)

    def measure(self, wanted: Sequence[Names]) -> list[Value | None]:
        """Measure mixtures, at once where there are several jobs. Raises _StoppedError beyond the limit of runs."""
        new = [names for names in dict.fromkeys(wanted) if names not in self.steps and self.journal.get(names) is None]
        if self.max_runs is not None and new and self.runs + len(new) > self.max_runs:
            raise _StoppedError
        for names, measured in self._run(new):
            self.runs += measured.ran
            self.journal.put(names, measured)
        return [self._noted(names, kept=names not in new).value for names in wanted]

    def _run(self, new: Sequence[Names]) -> Iterator[tuple[Names, Measured]]:
        """Measure each, and give each away as soon as it and those before it are done."""
        mixtures = [names - _AGAIN for names in new]
        if len(new) == 1 or self.jobs == 1:
            yield from zip(new, map(self.bench.measure, mixtures), strict=True)
            return
        with ThreadPoolExecutor(self.jobs) as pool:
            yield from zip(new, pool.map(self.bench.measure, mixtures), strict=True)

    def first_moved(self, candidates: Sequence[Names]) -> int | None:
        """The first that makes the metric what it is with all of B's packages (`smallest`)."""
        for start in range(0, len(candidates), self.jobs):
            some = candidates[start : start + self.jobs]
            for number, value in enumerate(self.measure(some), start):
                if self.like(value) == "B":
                    return number
        return None

    def like(self, value: Value | None) -> str:
        """Whose behaviour a value is: "A", "B", or "" for neither."""
        if same_behaviour(self.metric, self.before, value):
            return "A"
        return "B" if same_behaviour(self.metric, self.after, value) else ""

    def reduced(self, left: Sequence[str]) -> None:
        """Tell what is left."""
        shown = f": {', '.join(left)}" if len(left) <= _FEW else ""
        self.progress.note(f"{len(left)} of {len(self.order)} changes are left{shown}")

    def _noted(self, names: Names, *, kept: bool) -> Step:
        if names in self.steps:
            return self.steps[names]
        measured = self.journal.get(names)
        assert measured is not None  # noqa: S101 - it was measured or kept
        changes = tuple(name for name in self.order if name in names)
        step = Step(changes, measured.value, self.like(measured.value), measured.reason, kept, measured.ran)
        self.steps[names] = step
        self.progress.note(f"{len(self.steps)}. {self._told(step)}")
        return step

    def _told(self, step: Step) -> str:
        many = f"{len(step.changes)} of {len(self.order)} changes"
        result = step.reason if step.value is None else f"{self.metric.name} = {step.value!r}"
        return f"{many}: {result}{f', as with {step.like}' if step.like else ''}{', kept' if step.kept else ''}"


_FEW = 8
_AGAIN = frozenset({"once more"})
"""Stands for lock A's own environment, run a second time; no project is called so (PEP 508)."""


def bisect(
    changes: Sequence[Change],
    together: Mapping[str, Names],
    metric: ExpectedMetric,
    bench: Bench,
    journal: Journal,
    *,
    jobs: int = 1,
    max_runs: int | None = None,
    progress: Progress | None = None,
    beside: tuple[str, ...] = (),
) -> Bisection:
    """Find the smallest set of changes that makes a metric what it is with all of them.

    Args:
        changes: All changes from A to B, the likeliest first.
        together: What can't be installed without what (`closures`).
        metric: The metric and its tolerance, as lock A has it.
        bench: Runs mixtures.
        journal: Keeps results.
        jobs: Runs at the same time.
        max_runs: Most images to run; None for no limit.
        progress: Told of each step.
        beside: See `Bisection.beside`.

    One culprit among n independent changes takes at most 2·log2(n) + 4 runs. Raises what the bench raises.
    """
    order = [change.name for change in changes]
    search = _Search(metric, bench, journal, jobs, max_runs, progress or Silent(), order)
    found: Sequence[str] = order
    confirmed = None

    def reduced(left: Sequence[str]) -> None:
        nonlocal found
        found = left
        search.reduced(left)

    try:
        answer, reason = _endpoints(search, order)
        if answer is Answer.FOUND:
            found = smallest(order, together, search.first_moved, reduced)
            confirmed = _confirmed(search, found, together)
            answer, reason = _found(metric.name, found, together, confirmed=confirmed)
    except _StoppedError:
        answer, reason = Answer.STOPPED, f"stopped after {search.runs} runs, with {len(found)} changes left to suspect"
    left = found if answer in _NAMING else ()
    return Bisection(
        answer=answer,
        reason=reason,
        metric=metric.name,
        changes=tuple(change for change in changes if change.name in left),
        total=len(order),
        before=search.before,
        after=search.after,
        confirmed=confirmed,
        runs=search.runs,
        reused=sum(step.kept for step in search.steps.values()),
        steps=tuple(_relabelled(search)),
        beside=beside,
    )


_NAMING = {Answer.FOUND, Answer.SEVERAL, Answer.STOPPED}


def _endpoints(search: _Search, order: Sequence[str]) -> tuple[Answer, str]:
    """Measure A, and A with every change; whether there is something to search."""
    if not order:
        return Answer.NOT_PACKAGES, "packages don't explain it: both locks have the same environment"
    none, every = frozenset[str](), frozenset(order)
    search.before, again = search.measure([none, _AGAIN])
    if search.before is None:
        reason = search.steps[none].reason
        return Answer.NOT_COMPARABLE, f"lock A's evaluation reports no {search.metric.name} here: {reason}"
    if not same_behaviour(search.metric, search.before, again):
        reason = f"{search.before!r}, then {search.steps[_AGAIN].reason or repr(again)}"
        return (
            Answer.NOT_COMPARABLE,
            f"two runs of lock A's evaluation differ, so that no mixture could prove anything: {reason}",
        )
    (search.after,) = search.measure([every])
    if search.after is None:
        reason = search.steps[every].reason
        return Answer.NOT_COMPARABLE, f"with all of B's packages A's evaluation reports no value: {reason}"
    if same_behaviour(search.metric, search.before, search.after):
        return Answer.NOT_PACKAGES, "packages don't explain it: A with all of B's packages still behaves like A"
    return Answer.FOUND, ""


def _confirmed(search: _Search, found: Sequence[str], together: Mapping[str, Names]) -> bool | None:
    """Whether the metric stays as with A when all but these changes are made; the way back."""
    others = frozenset(name for name in search.order if together[name].isdisjoint(found))
    (value,) = search.measure([others])
    return None if value is None else search.like(value) == "A"


def _found(
    metric: str, found: Sequence[str], together: Mapping[str, Names], *, confirmed: bool | None
) -> tuple[Answer, str]:
    also = "" if confirmed is not False else "; without it other changes move the metric, too"
    if len(found) == 1:
        return Answer.FOUND, f"{found[0]} alone moves {metric}{also}"
    leader = next((name for name in found if together[name].issuperset(found)), None)
    if leader is None:
        return Answer.SEVERAL, f"no single package moves {metric}: these {len(found)} do together{also}"
    others = ", ".join(name for name in found if name != leader)
    return Answer.SEVERAL, f"no single package: {leader} moves {metric} and can't be had without {others}{also}"


def _relabelled(search: _Search) -> Iterator[Step]:
    """The steps by what is known at the end: the first two were measured before there was anything to be like."""
    for step in search.steps.values():
        yield Step(step.changes, step.value, search.like(step.value), step.reason, step.kept, step.ran)
