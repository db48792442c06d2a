"""From what a run left to an outcome. Pure: no engine, no disk, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from repro.digest import Digest
from repro.engines.model import RunOutcome
from repro.errors import ExitCode, InfrastructureError
from repro.lock import Lock
from repro.plan.evaluation import make_evaluation
from repro.runner.compare import Comparison, compare
from repro.runner.documents import Failure, RunRecord
from repro.runner.exitcodes import exit_code
from repro.runner.gates import GateResult, judge_gates
from repro.verify.model import Finding, Outcome, RunSummary
from repro.verify.reasons import reason_and_cure, remarks

CONDA = "conda:"
"""What evidence has before the names of conda packages, which wheels may have, too."""

_KILLED = 137
_LOG_LINES = 30
_BUILD_AGAIN = "Don't use this image; build it again from the lock with `repro build`."
_CURES = {
    "lock": "Build the image again with `repro build`, or name the lock that it was made from with --lock.",
    "version": "Verify with the version of repro that made the lock, or capture and build again with this one.",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run came to: see the same fields of `Verdict`."""

    outcome: Outcome
    reason: str
    fix: str | None = None
    metrics: tuple[Comparison, ...] = ()
    findings: tuple[Finding, ...] = ()
    gates: tuple[GateResult, ...] = ()


def judge(lock: Lock, digest: Digest, target: str, run: RunOutcome, record: RunRecord | None) -> Judgement:
    """Judge a finished run by the lock alone; what the container thought of itself doesn't count.

    Args:
        lock: The baseline.
        digest: Its digest, which the record must repeat.
        target: Platform that ran.
        run: What the engine saw.
        record: What the runner wrote, or None when it wrote nothing.

    Raises:
        InfrastructureError: The runner could not do its work, so that there is nothing to judge.
    """
    if run.timed_out:
        return _timed_out(f"the run was stopped after {run.seconds:.0f} s")
    if record is None:
        return _without_record(run)
    foreign = tuple(_foreign(lock, digest, target, record))
    if any(finding.severity == "error" for finding in foreign):
        return tampered(foreign)
    if record.failure is not None:
        return _failed(record.failure, run, (*foreign, *_notes(record)))
    return _compared(lock, digest, run, record, foreign)


def tampered(findings: Sequence[Finding]) -> Judgement:
    """The judgement of an image, or of a run, that is not what the lock says."""
    errors = [finding for finding in findings if finding.severity == "error"]
    reason = errors[0].message if len(errors) == 1 else f"{len(errors)} things are not what the lock says"
    cure = next((_CURES[finding.kind] for finding in errors if finding.kind in _CURES), _BUILD_AGAIN)
    return Judgement(Outcome.TAMPERED, reason, cure, findings=tuple(findings))


def summarize(run: RunOutcome, record: RunRecord | None) -> RunSummary:
    """The run for the verdict; the container's last lines are kept where nothing else explains its end."""
    log = tuple(run.log.splitlines()[-_LOG_LINES:]) if record is None else ()
    record = record or RunRecord()
    return RunSummary(
        seconds=run.seconds,
        exit_code=run.exit_code,
        cells=record.cells,
        failure=record.failure,
        log=log,
        python_version=record.python_version,
        machine=tuple(sorted(record.machine.items())),
    )


def _timed_out(reason: str) -> Judgement:
    return Judgement(
        Outcome.TIMED_OUT,
        reason,
        "Give it longer (--timeout here, [run] timeout in repro.toml for the image itself), or a faster machine.",
    )


def _out_of_memory(reason: str, findings: tuple[Finding, ...] = ()) -> Judgement:
    fix = "Give it more (--memory), or let the evaluation use less."
    return Judgement(Outcome.OUT_OF_MEMORY, reason, fix, findings=findings)


def _without_record(run: RunOutcome) -> Judgement:
    if run.oom_killed:
        return _out_of_memory("the evaluation was killed for want of memory")
    if run.exit_code == ExitCode.INFRASTRUCTURE:
        raise InfrastructureError(
            "the runner in the image could not work",
            details=run.log,
            fix="See what it printed, above; `repro doctor` tells whether the engine works.",
        )
    killed = " (killed from outside; perhaps for memory)" if run.exit_code == _KILLED else ""
    return Judgement(
        Outcome.EVALUATION_FAILED,
        f"the run ended with exit code {run.exit_code}{killed} and left no record",
        "See the last lines that it printed.",
    )


def _foreign(lock: Lock, digest: Digest, target: str, record: RunRecord) -> Iterator[Finding]:
    """Signs that something else ran than the lock says. What a run that failed early didn't say isn't one."""
    if record.lock_digest != str(digest):
        yield Finding(
            "record",
            "error",
            "the record of the run is of another lock",
            (f"expected: {digest}", f"found:    {record.lock_digest or 'none'}"),
        )
    if record.experiment is not None:
        yield Finding("record", "error", "the record is of an experiment, which verifies nothing")
    told = record.failure is None
    if record.packages or told:
        evidence = (*_conda(lock, target, record), *_packages(lock, target, record))
        if evidence:
            yield Finding("packages", "error", "the environment in the image is not the locked one", evidence)
    if record.python_version or told:
        yield from _python(lock, record.python_version)


def _conda(lock: Lock, target: str, record: RunRecord) -> Iterator[str]:
    """Conda packages of another version or build, as `package-changed` reads them."""
    locked = {one.name: f"{one.version} {one.build}" for one in lock.conda if one.target == target}
    for name in sorted(locked.keys() | record.conda.keys()) if locked else ():
        if locked.get(name) != record.conda.get(name):
            yield _evidence(f"{CONDA}{name}", locked.get(name), record.conda.get(name))


def _packages(lock: Lock, target: str, record: RunRecord) -> Iterator[str]:
    """Wheels; what came with a conda package is none, unless one was installed over it."""
    locked = {
        package.name: package.version
        for package in lock.packages
        if any(target in file.targets for file in package.files)
    }
    brought = record.brought.keys() - locked.keys() if lock.conda else set[str]()
    found = {name: version for name, version in record.packages.items() if name not in brought}
    for name in sorted(locked.keys() | found.keys()):
        if not _same_version(locked.get(name), found.get(name)):
            yield _evidence(name, locked.get(name), found.get(name))


def _evidence(name: str, locked: str | None, found: str | None) -> str:
    return f"{name}: {locked or 'not'} in the lock, {found or 'not'} in the image"


def _same_version(left: str | None, right: str | None) -> bool:
    """Equal as PEP 440 has it (`1.0` is `1.0.0`); what isn't a version there must be the same text."""
    if left is None or right is None:
        return left is right
    try:
        return Version(left) == Version(right)
    except InvalidVersion:
        return left == right


def _python(lock: Lock, found: str) -> Iterator[Finding]:
    if found == lock.python.version:
        return
    evidence = (f"laptop: {lock.python.version}", f"image:  {found or 'unknown'}")
    minor = lock.python.version.rpartition(".")[0]
    if lock.policy.allow_patch_drift and found.startswith(f"{minor}."):
        yield Finding("python-drift", "warning", "another patch version of Python ran; the policy allows it", evidence)
    else:
        yield Finding("python", "error", "the Python in the image is not the locked one", evidence)


def _failed(failure: Failure, run: RunOutcome, findings: tuple[Finding, ...]) -> Judgement:
    outcome = Outcome.of(exit_code(failure, ()))
    if run.oom_killed and outcome is Outcome.EVALUATION_FAILED:
        outcome = Outcome.OUT_OF_MEMORY
    where = "" if failure.cell is None else f"cell {failure.cell}: "
    reason = where + failure.message
    match outcome:
        case Outcome.TAMPERED:
            finding = Finding("files", "error", failure.message, failure.problems)
            return Judgement(outcome, failure.message, tampered([finding]).fix, findings=(finding, *findings))
        case Outcome.OUT_OF_MEMORY:
            return _out_of_memory(reason, findings)
        case Outcome.TIMED_OUT:
            return Judgement(outcome, reason, _timed_out("").fix, findings=findings)
        case _:
            fix = "It ran on the laptop but not in the image: look for what it needs that the lock doesn't have."
            return Judgement(outcome, reason, fix if failure.kind == "cell" else None, findings=findings)


def _compared(
    lock: Lock, digest: Digest, run: RunOutcome, record: RunRecord, foreign: tuple[Finding, ...]
) -> Judgement:
    expected = make_evaluation(lock, digest).metrics
    comparisons = tuple(compare(expected, record.metrics))
    gates = tuple(judge_gates(expected, record.metrics))
    outcome = Outcome.of(exit_code(None, comparisons, gates))
    reason, fix = reason_and_cure(outcome, comparisons, gates)
    findings = (*foreign, *_notes(record), *remarks(lock, comparisons, run))
    return Judgement(outcome, reason, fix, comparisons, findings, gates)


def _notes(record: RunRecord) -> Iterator[Finding]:
    return (Finding("run", "warning", warning) for warning in record.warnings)
