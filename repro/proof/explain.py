"""`repro explain`: what the last verification found, or the proof: baseline twice, then one factor after another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo, RunOutcome
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, lock_body, parse_lock
from repro.plan import layout
from repro.plan.evaluation import make_evaluation
from repro.progress import Progress
from repro.proof.conclude import concluded, moved, nondeterministic, suspected, without_trials
from repro.proof.explanation import Conclusion, Explanation
from repro.proof.factors import FACTORS
from repro.proof.factors.model import LeftOut, Scene, Swap
from repro.proof.laboratory import ImageLaboratory
from repro.proof.protocol import Judge, experiment
from repro.runner.documents import ExpectedMetric
from repro.runner.experiment import Experiment
from repro.store import kept_runs
from repro.verify.baked import read_baked
from repro.verify.causes.gather import gather
from repro.verify.document import parse_verdict
from repro.verify.judge import Judgement
from repro.verify.model import Verdict
from repro.verify.mounts import bring_mounted
from repro.verify.record import read_record
from repro.verify.repeats import read_shown, summarize_runs
from repro.verify.stage import find_image, verify


@dataclass(frozen=True, slots=True)
class Case:
    """What is explained.

    Attributes:
        image: What the person calls it.
        lock: The lock and its body; None for the one in the image.
        engine: Where it is and runs.
        project: Directory of the lock, or None.
        data: Directory of files that are not in the image; None for `project`.
        timeout: Seconds for each run, or None.
        memory: Bytes for each run, or None.
    """

    image: str
    lock: tuple[Lock, bytes] | None
    engine: Engine
    project: Path | None
    data: Path | None = None
    timeout: float | None = None
    memory: int | None = None


def explain(case: Case, progress: Progress) -> Explanation:
    """What the newest verification of this image by this lock found; it is verified now where there was none.

    Raises as `repro.verify.stage.verify` does.
    """
    found = find_image(case.engine, case.image)
    lock, body = _lock(case, found)
    verdict = _last_verdict(case.project, Digest.of(body), found)
    if verdict is None:
        progress.note("no verification of this image is at hand: it is verified now")
        verdict = _verified(case, (lock, body), case.project, progress)
    else:
        progress.note(f"verified {verdict.created}: {verdict.evidence}")
    return without_trials(verdict) or Explanation(
        Conclusion.NOT_TRIED,
        suspected(verdict),
        f"Prove it by experiment: `repro explain {case.image} --prove`.",
        verdict,
    )


def prove(case: Case, metric: str | None, progress: Progress) -> Explanation:
    """Run the evaluation as it is twice, then with one suspected factor swapped, both ways, twice each.

    Args:
        case: What is explained.
        metric: Name of the metric; None for all that moved.
        progress: Told of each run.

    Raises:
        UsageError: The lock has no such metric, or what `repro.verify.stage.verify` raises.
        IntegrityError: A run was not the experiment that was asked for.
        InfrastructureError: The engine failed.
    """
    found = find_image(case.engine, case.image)
    lock = _lock(case, found)
    _check_metric(lock[0], metric)
    with _kept(case.project) as project:
        verdict = _verified(case, lock, project, progress)
        done = without_trials(verdict, metric)
        if done is not None:
            return replace(done, runs=int(verdict.run is not None))
        evidence = _evidence(verdict)
        laboratory = _laboratory(case, found, lock, verdict, progress)
        metrics = _targets(lock, verdict, metric)
        record = read_record(evidence)
        assert record is not None  # noqa: S101 - its metrics were compared
        judge = Judge(metrics, {one.name: one.value for one in record.metrics})
        again = laboratory.run(Experiment())
        if not judge.like_here(again):
            seen = summarize_runs(
                metrics, [record.metrics, laboratory.metrics], [read_shown(evidence), laboratory.shown]
            )
            return nondeterministic(verdict, judge, again, seen.cell, runs=laboratory.runs + 1)
        run = RunOutcome(0, oom_killed=False, timed_out=False, seconds=0.0, log="", collected=evidence)
        situation = gather(verdict, lock[0], image=found, engine=case.engine, run=run, project=case.project)
        swaps, left_out = _factors(Scene(situation, case.project), verdict)
        trials = experiment(swaps, judge, laboratory, progress)
    return concluded(verdict, judge, trials, left_out, runs=laboratory.runs + 1)


def _lock(case: Case, image: ImageInfo) -> tuple[Lock, bytes]:
    if case.lock is not None:
        return case.lock
    baked = read_baked(case.engine, image).lock
    if baked is None:
        raise IntegrityError("the image carries no lock", where=str(layout.LOCK), fix="Name its lock with --lock.")
    return parse_lock(baked, where=f"{layout.LOCK} in the image"), lock_body(baked)


def _verified(case: Case, lock: tuple[Lock, bytes], project: Path | None, progress: Progress) -> Verdict:
    return verify(
        case.image,
        lock=lock if case.lock is not None else None,
        engine=case.engine,
        timeout=case.timeout,
        memory=case.memory,
        project=project,
        progress=progress,
        data=case.data or case.project,
    )


def _last_verdict(project: Path | None, lock: Digest, image: ImageInfo) -> Verdict | None:
    """The newest verdict on this image by this lock; damaged ones are passed over."""
    for folder in () if project is None else kept_runs(project, f"verify-{lock.short}"):
        try:
            verdict = parse_verdict((folder / "verdict.json").read_bytes())
        except (OSError, IntegrityError):
            continue
        if verdict.image is not None and verdict.image.id == image.id:
            return verdict
    return None


def _check_metric(lock: Lock, metric: str | None) -> None:
    names = [one.name for one in lock.metrics]
    if metric is not None and metric not in names:
        raise UsageError(f"the lock has no metric {metric!r}", where="--metric", fix=f"It has {', '.join(names)}.")


@contextmanager
def _kept(project: Path | None) -> Iterator[Path]:
    """Where evidence goes: the project, or a folder that is gone afterwards."""
    if project is not None:
        yield project
        return
    with TemporaryDirectory(prefix="repro-explain-") as folder:
        yield Path(folder)


def _evidence(verdict: Verdict) -> Path:
    if verdict.evidence is None:
        raise UsageError(
            "the run's evidence could not be kept, and the proof rests on it", fix="See the warning above."
        )
    return Path(verdict.evidence)


def _laboratory(
    case: Case, image: ImageInfo, lock: tuple[Lock, bytes], verdict: Verdict, progress: Progress
) -> ImageLaboratory:
    brought = bring_mounted(lock[0], case.data or case.project, progress)
    if isinstance(brought, Judgement):
        raise UsageError(brought.reason, fix=brought.fix)
    return ImageLaboratory(
        engine=case.engine,
        image=image.id,
        lock=lock[0],
        digest=Digest.of(lock[1]),
        brought=brought,
        timeout=case.timeout,
        memory=None if verdict.run is None else verdict.run.memory,
        progress=progress,
    )


def _targets(lock: tuple[Lock, bytes], verdict: Verdict, metric: str | None) -> list[ExpectedMetric]:
    names = {one.name for one in moved(verdict, metric)}
    return [one for one in make_evaluation(lock[0], Digest.of(lock[1])).metrics if one.name in names]


def _factors(scene: Scene, verdict: Verdict) -> tuple[list[Swap], tuple[LeftOut, ...]]:
    """What can be swapped, in the order in which the verdict suspects it, and what can't."""
    found = [one for rule in FACTORS for one in rule(scene)]
    ranks = {cause.rule: rank for rank, cause in reversed(list(enumerate(verdict.causes)))}
    swaps = [one for one in found if isinstance(one, Swap)]
    swaps.sort(key=lambda swap: ranks.get(swap.factor.partition(":")[0], len(ranks)))
    return swaps, tuple(one for one in found if isinstance(one, LeftOut))
