"""From two locks and a metric's name to a search: what is asked, checked before anything is made or run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.build import Sources
from repro.cpus import usable_cpus
from repro.digest import Digest
from repro.engines.model import Engine
from repro.errors import UsageError
from repro.lock import Lock
from repro.plan import runner_digest, runner_sources
from repro.plan.evaluation import make_evaluation
from repro.progress import Progress
from repro.proof.behaviour import same_behaviour
from repro.proof.bench import ImageBench, Limits
from repro.proof.bisect import bisect
from repro.proof.bisection import Bisection
from repro.proof.changes import Change, beside_packages, changes_between, common_target
from repro.proof.conda_constraints import conda_implied
from repro.proof.constraints import implied
from repro.proof.journal import Journal
from repro.proof.mixtures import CannotMixError, Mixtures, Side
from repro.proof.smallest import Names, closures
from repro.runner.documents import ExpectedMetric

_MOST_JOBS = 4


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks.

    Attributes:
        one: Lock A.
        other: Lock B.
        metric: Name of the metric; None for the only one whose baselines differ.
        limits: Of each run.
        max_runs: Most images to run, or None.
        jobs: Runs at the same time; None for one, or several where the evaluation has one thread.
        resume: Whether to go on from what an earlier search left.
        data: Where files are that images lack; None for lock A's folder.
    """

    one: Side
    other: Side
    metric: str | None
    limits: Limits
    max_runs: int | None = None
    jobs: int | None = None
    resume: bool = False
    data: Path | None = None


def run_bisection(request: Request, engines: Callable[[], Engine], sources: Sources, progress: Progress) -> Bisection:
    """Search as was asked.

    Args:
        request: What is asked.
        engines: Gives each thread an engine of its own.
        sources: Where files and bases come from.
        progress: Told of each step.

    Raises:
        UsageError: The metric can't be told, or the locks are for other platforms.
        IntegrityError: Lock A's project isn't what it says, or the journal is damaged.
        InfrastructureError: The engine or the network failed; `resume` goes on from there.
    """
    one, other = request.one, request.other
    metric = choose_metric(one.lock, other.lock, request.metric)
    target = common_target(one.lock, other.lock, engines().info().platform)
    changes = changes_between(one.lock, other.lock, target)
    journal = Journal(one.root, _question(one, other, metric.name, target), resume=request.resume)
    if journal.before and not request.resume:
        progress.note("an earlier search of the same question is begun anew (--resume goes on from it)")
    mixtures = Mixtures(one, other, target, sources, progress)
    jobs = request.jobs or _jobs(one.lock)
    data = request.data or one.root
    with ImageBench(mixtures, metric.name, engines, request.limits, jobs, data, progress) as bench:
        return bisect(
            changes,
            _together(changes, mixtures),
            metric,
            bench,
            journal,
            jobs=jobs,
            max_runs=request.max_runs,
            progress=progress,
            beside=beside_packages(one.lock, other.lock),
        )


def choose_metric(one: Lock, other: Lock, name: str | None) -> ExpectedMetric:
    """The metric as lock A has it.

    Raises:
        UsageError: Lock A hasn't the one that was named; or none was, and not exactly one differs between the locks.
    """
    ours = {metric.name: metric for metric in make_evaluation(one, Digest.of(b"")).metrics}
    theirs = {metric.name: metric.value for metric in other.metrics}
    if name is not None and name in ours:
        return ours[name]
    moved = [metric for metric in ours.values() if not same_behaviour(metric, metric.value, theirs.get(metric.name))]
    if name is None and len(moved) == 1:
        return moved[0]
    what = f"lock A has no metric {name!r}" if name is not None else f"{len(moved)} metrics differ between the locks"
    raise UsageError(what, where="--metric", fix=f"Name one of: {', '.join(sorted(ours)) or 'it has none'}.")


def _together(changes: Sequence[Change], mixtures: Mixtures) -> dict[str, Names]:
    names = [change.name for change in changes]
    if not names:
        return {}
    try:
        environments = mixtures.installed(frozenset()), mixtures.installed(frozenset(names))
    except CannotMixError as error:
        raise UsageError(f"no image can be made of one of the locks: {error}") from error
    pythons = _minor(mixtures.one.lock), _minor(mixtures.other.lock)
    needs = implied(changes, environments, pythons)
    for name, other in conda_implied(changes, mixtures.one.lock, mixtures.other.lock, mixtures.target):
        needs[name].add(other)
    return closures(needs, names)


def _minor(lock: Lock) -> int:
    return int(lock.python.version.split(".")[1])


def _question(one: Side, other: Side, metric: str, target: str) -> dict[str, str]:
    """Everything that decides what a mixture measures, but for the machine."""
    return {
        "a": str(Digest.of(one.body)),
        "b": str(Digest.of(other.body)),
        "metric": metric,
        "target": target,
        "runner": str(runner_digest(runner_sources())),
    }


def _jobs(lock: Lock) -> int:
    """One where an evaluation uses several threads: it has the cores for itself."""
    return 1 if lock.environment.threads > 1 else min(usable_cpus(), _MOST_JOBS)
