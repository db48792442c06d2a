"""The verify stage: look the image up, check it, run it sealed, judge the run, keep the evidence."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from repro import __version__
from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo, RunOutcome, RunSpec
from repro.engines.select import BUBBLEWRAP
from repro.errors import ExitCode, InfrastructureError, IntegrityError, ReproError, UsageError
from repro.lock import Lock, lock_body, parse_lock
from repro.oci.locations import is_location
from repro.plan import layout, runner_digest, runner_sources
from repro.plan.evaluation import make_evaluation
from repro.progress import Progress
from repro.runner.documents import RunRecord
from repro.verify.baked import Baked, check_image, find_base, read_baked
from repro.verify.causes import explained
from repro.verify.changes import name_changes
from repro.verify.evidence import keep_evidence
from repro.verify.judge import Judgement, judge, summarize, tampered
from repro.verify.listen import Listener
from repro.verify.model import Finding, ImageSummary, LockSummary, Outcome, RunsSummary, Verdict
from repro.verify.mounts import bring_mounted
from repro.verify.outputs import with_outputs
from repro.verify.record import read_record
from repro.verify.repeats import read_shown, summarize_runs
from repro.verify.several import together, with_randomness

GRACE = 60.0
"""Seconds beyond the policy's own limit before the engine ends a run that should have ended itself."""
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Case:
    """What is judged, by what."""

    image: ImageInfo
    baked: Baked
    lock: Lock
    lock_bytes: bytes
    source: Literal["file", "image"]

    @property
    def digest(self) -> Digest:
        return Digest.of(self.lock_bytes)

    def explained(self, verdict: Verdict, engine: Engine, run: RunOutcome | None, project: Path | None) -> Verdict:
        """The verdict with what may be the causes."""
        return explained(verdict, self.lock, image=self.image, engine=engine, run=run, project=project)


def verify(
    image: str,
    *,
    lock: tuple[Lock, bytes] | None,
    engine: Engine,
    timeout: float | None,
    memory: int | None,
    project: Path | None,
    progress: Progress,
    data: Path | None = None,
    runs: int = 1,
    evidence: Path | None = None,
) -> Verdict:
    """Check an image against its lock, rerun the evaluation in it, sealed, and compare every metric.

    An image that isn't what the lock says is not run at all.

    Args:
        image: Name, digest or ID in the engine.
        lock: The lock and its body's bytes; None takes the one baked into the image at its word.
        engine: Where the image is and runs.
        timeout: Seconds for the run; None for the lock's own limit and a little more.
        memory: Bytes; None for the lock's limit, or else nine tenths of what the engine has.
        project: Directory of the lock, whose `.repro/runs` keeps the evidence, or None to keep none.
        progress: Hears of each cell.
        data: Directory of files that are not in the image, under their paths in the project; None for `project`.
        runs: How often the evaluation runs; what differs between runs is told (`repro.verify.several`).
        evidence: Directory that keeps the evidence instead of `project`, or None.

    Raises:
        UsageError: The engine doesn't have the image, or it isn't one of ours.
        IntegrityError: The lock baked into it can't be read.
        InfrastructureError: The engine failed, so that nothing was judged.
    """
    started = datetime.now(UTC)
    case = _case(find_image(engine, image), lock, engine, progress)
    ours, base = runner_digest(runner_sources()), find_base(engine, case.lock, case.image.platform)
    findings = check_image(case.lock, case.lock_bytes, case.image, case.baked, ours, base=base)
    findings = name_changes(findings, engine, case.image, case.lock)
    info = engine.info()
    verdict = replace(
        _verdict(tampered(findings), started),
        image=_image_summary(image, case.image),
        lock=_lock_summary(case),
        engine=info,
    )
    if any(finding.severity == "error" for finding in findings):
        return case.explained(verdict, engine, None, project)
    brought = bring_mounted(case.lock, data or project, progress)
    if isinstance(brought, Judgement):
        return case.explained(_ruled(verdict, brought, findings), engine, None, project)
    spec = RunSpec(
        image=case.image.id,
        writable=(layout.WORK, layout.OUT),
        collect=layout.OUT,
        timeout=case.lock.policy.timeout + GRACE if timeout is None else timeout,
        memory=memory or case.lock.policy.memory or info.memory * 9 // 10 or None,
        user=_owner() if brought.private else None,
        shown=brought.shown,
    )
    with _ran(engine, spec, progress, case.lock.subject.path) as run:
        judgement, record = _judged(case, run)
        repeated = None
        if runs > 1 and record is not None and judgement.metrics:
            ended = (run, judgement, record)
            judgement, repeated = _repeated(case, engine, spec, ended, runs=runs, progress=progress)
        judgement, outputs = with_outputs(judgement, case.lock, run.collected, record, project)
        verdict = _ruled(verdict, judgement, findings, *_unproven(case.lock))
        verdict = replace(
            verdict, run=replace(summarize(run, record), memory=spec.memory), runs=repeated, outputs=outputs
        )
        verdict = with_randomness(case.explained(verdict, engine, run, project))
        return _kept(verdict, run, evidence or project, case, progress)


def find_image(engine: Engine, reference: str) -> ImageInfo:
    """The image. Raises UsageError, naming those that `repro` made here, when the engine doesn't have it."""
    found = engine.image(reference) if reference else None
    if found is not None:
        return found
    name = engine.info().name
    if is_location(reference) and name != BUBBLEWRAP:
        raise UsageError(
            f"{name} runs no images from files",
            where=reference,
            fix=f"On Linux, `--engine {BUBBLEWRAP}` runs it from there; else make it in the engine: `repro build`.",
        )
    raise UsageError("the engine has no such image", where=reference, fix=_how_to_have(reference, name, engine))


def _how_to_have(reference: str, name: str, engine: Engine) -> str:
    if name != BUBBLEWRAP and reference and Path(reference).exists():
        ways = " or ".join(f"{kind}:{reference}" for kind in ("oci", "oci-archive", "docker-archive"))
        return f"If you mean that file or directory, say what it is: {ways}."
    pulled = reference.removeprefix("docker://")
    if name == BUBBLEWRAP:
        more = "; where another engine answers, add `-o oci:DIRECTORY` and verify that"
    else:
        more = f", or pull it (`{name} pull {pulled}`)"
    ours = [tag for image in engine.images_with_label(layout.LABEL_LOCK) for tag in image.tags]
    known = f" Made by repro here: {', '.join(ours[:_MOST_NAMED])}." if ours else ""
    return f"Build it with `repro build -t {pulled}`{more}.{known}"


def unfinished(image: str, error: ReproError) -> Verdict:
    """The verdict document of a verification that ended in an error instead of a judgement."""
    outcome = Outcome.TAMPERED if error.exit_code == ExitCode.TAMPERED else Outcome.INFRASTRUCTURE_FAILED
    evidence = (*error.problems, *error.details.splitlines())
    place = f"{error.where}: " if error.where else ""
    return replace(
        _verdict(Judgement(outcome, place + error.what, error.fix), datetime.now(UTC)),
        image=ImageSummary(image, ""),
        findings=(Finding("unfinished", "error", error.what, evidence),) if evidence else (),
    )


def _case(image: ImageInfo, lock: tuple[Lock, bytes] | None, engine: Engine, progress: Progress) -> _Case:
    baked = read_baked(engine, image)
    if lock is not None:
        return _Case(image, baked, *lock, source="file")
    if baked.lock is None:
        raise IntegrityError(
            "the image claims to have a lock but carries none", where=str(layout.LOCK), fix="Name its lock with --lock."
        )
    where = f"{layout.LOCK} in the image"
    inside = parse_lock(baked.lock, where=where, progress=progress)
    return _Case(image, baked, inside, lock_body(baked.lock), source="image")


@contextmanager
def _ran(engine: Engine, spec: RunSpec, progress: Progress, subject: str) -> Iterator[RunOutcome]:
    """Run to the end, with a line of progress for each cell; what was collected is removed at last."""
    listener = Listener(progress, subject)
    run = engine.run(spec, listener)
    try:
        listener.finish()
        yield run
    finally:
        if run.collected is not None:
            shutil.rmtree(run.collected, ignore_errors=True)


def _judged(case: _Case, run: RunOutcome) -> tuple[Judgement, RunRecord | None]:
    """How a run is judged, and its record; None where that is missing or garbled, which the judgement says."""
    record: RunRecord | None = None
    try:
        record = read_record(run.collected)
        judgement = judge(case.lock, case.digest, case.image.platform, run, record)
    except IntegrityError as error:
        judgement = tampered([Finding("record", "error", error.what)])
    return judgement, record


def _repeated(
    case: _Case,
    engine: Engine,
    spec: RunSpec,
    ended: tuple[RunOutcome, Judgement, RunRecord],
    *,
    runs: int,
    progress: Progress,
) -> tuple[Judgement, RunsSummary]:
    """Run the image again, as often as is left to do; what later runs leave is kept with the first one's."""
    first, judgement, record = ended
    judgements, metrics, shown = [judgement], [record.metrics], [read_shown(first.collected)]
    for number in range(2, runs + 1):
        progress.note(f"run {number} of {runs}")
        with _ran(engine, spec, progress, case.lock.subject.path) as run:
            again, left = _judged(case, run)
            judgements.append(again)
            metrics.append(() if left is None else left.metrics)
            shown.append(read_shown(run.collected))
            if run.collected is not None and first.collected is not None:
                shutil.move(run.collected, first.collected / f"run-{number}")
    expected = make_evaluation(case.lock, case.digest).metrics
    summary = summarize_runs(expected, metrics, shown)
    return together(expected, judgements, summary), summary


def _kept(verdict: Verdict, run: RunOutcome, project: Path | None, case: _Case, progress: Progress) -> Verdict:
    """Keep the evidence; a verdict counts also where there is no room for it."""
    try:
        return verdict if project is None else keep_evidence(verdict, run, project, case.lock, case.lock_bytes)
    except InfrastructureError as error:
        progress.warn(f"the evidence of this run was not kept: {error}")
        return verdict


def _ruled(verdict: Verdict, judgement: Judgement, before: tuple[Finding, ...], *after: Finding) -> Verdict:
    """The verdict with a judgement, between what was found before and what is to be said besides."""
    return replace(
        verdict,
        outcome=judgement.outcome,
        reason=judgement.reason,
        fix=judgement.fix,
        metrics=judgement.metrics,
        gates=judgement.gates,
        findings=(*before, *judgement.findings, *after),
    )


def _owner() -> str | None:
    """Whom a container has to run as to read what only this user may read; nobody is made root for that."""
    return f"{os.getuid()}:0" if os.name == "posix" and os.getuid() else None


def _unproven(lock: Lock) -> tuple[Finding, ...]:
    if lock.baseline.rerun:
        return ()
    message = "the baseline was taken from stored outputs (--no-run): nobody has shown that the laptop reproduces it"
    return (Finding("baseline", "warning", message),)


def _verdict(judgement: Judgement, started: datetime) -> Verdict:
    return Verdict(
        outcome=judgement.outcome,
        reason=judgement.reason,
        fix=judgement.fix,
        repro=__version__,
        created=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        findings=judgement.findings,
    )


def _image_summary(reference: str, image: ImageInfo) -> ImageSummary:
    return ImageSummary(reference, image.id, image.tags, image.repo_digests, image.platform, image.diff_ids)


def _lock_summary(case: _Case) -> LockSummary:
    return LockSummary(str(case.digest), case.source, case.lock.subject.path, case.lock.baseline.rerun)
