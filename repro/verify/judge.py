"""From what a run left to an outcome. Pure: no engine, no disk, no clock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from repro.digest import Digest
from repro.engines.model import RunOutcome
from repro.errors import ExitCode, InfrastructureError
from repro.lock import Lock
from repro.plan.evaluation import make_evaluation
from repro.runner import compare as rules
from repro.runner.compare import Comparison, compare
from repro.runner.documents import Failure, RunRecord, Value
from repro.runner.exitcodes import exit_code
from repro.verify.model import Finding, Outcome, RunSummary

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
    told = record.failure is None
    if record.packages or told:
        yield from _packages(lock, target, record.packages)
    if record.python_version or told:
        yield from _python(lock, record.python_version)


def _packages(lock: Lock, target: str, found: Mapping[str, str]) -> Iterator[Finding]:
    locked = {
        package.name: package.version
        for package in lock.packages
        if any(target in file.targets for file in package.files)
    }
    evidence = tuple(
        f"{name}: {locked.get(name, 'not')} in the lock, {found.get(name, 'not')} in the image"
        for name in sorted(locked.keys() | found.keys())
        if not _same_version(locked.get(name), found.get(name))
    )
    if evidence:
        yield Finding("packages", "error", "the environment in the image is not the locked one", evidence)


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
            fix = "It ran on the laptop but not in the image: look for what the cell needs that the lock doesn't have."
            return Judgement(outcome, reason, fix if failure.kind == "cell" else None, findings=findings)


def _compared(
    lock: Lock, digest: Digest, run: RunOutcome, record: RunRecord, foreign: tuple[Finding, ...]
) -> Judgement:
    comparisons = tuple(compare(make_evaluation(lock, digest).metrics, record.metrics))
    outcome = Outcome.of(exit_code(None, comparisons))
    reason, fix = _REASONS[outcome](comparisons)
    findings = (*foreign, *_notes(record), *_remarks(comparisons, run))
    return Judgement(outcome, reason, fix, comparisons, findings)


def _notes(record: RunRecord) -> Iterator[Finding]:
    return (Finding("run", "warning", warning) for warning in record.warnings)


def _remarks(comparisons: Iterable[Comparison], run: RunOutcome) -> Iterator[Finding]:
    """What doesn't decide but should be seen."""
    if run.oom_killed:
        yield Finding("memory", "warning", "a process of the evaluation was killed for want of memory")
    for item in comparisons:
        if item.status == rules.IMPROVED and item.passed:
            yield Finding("improved", "warning", f"{item.name} is better than the baseline: make sure it isn't leakage")
        elif item.status == rules.EXTRA:
            yield Finding("extra", "info", f"{item.name} is not in the lock: nothing to compare it with")
        elif item.status == rules.SAME and _is_nan(item.measured):
            yield Finding("nan", "info", f"{item.name} is NaN, here as on the laptop")


def _is_nan(value: Value | None) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 - what makes a NaN


def _verified(comparisons: Sequence[Comparison]) -> tuple[str, str | None]:
    compared = _baselines(comparisons)
    same = sum(item.status == rules.SAME for item in compared)
    if same == len(compared):
        return f"{_count(same, 'metric')} as on the laptop, bit for bit", None
    return f"{_count(len(compared), 'metric')} as on the laptop: {same} bit for bit, the others as tolerated", None


def _mismatch(comparisons: Sequence[Comparison]) -> tuple[str, str | None]:
    compared = _baselines(comparisons)
    moved = _moved(compared)
    fix = (
        "Look for what differs (seeds, hardware, clock); if the difference is harmless, "
        "allow it with a tolerance in repro.toml and capture again."
    )
    return f"{len(moved)} of {_count(len(compared), 'metric')} moved: {', '.join(moved)}", fix


def _not_comparable(comparisons: Sequence[Comparison]) -> tuple[str, str | None]:
    compared = _baselines(comparisons)
    if not compared:
        return "the lock has no metric, so there is nothing to compare", "Capture again with a metric to compare."
    missing = [item.name for item in compared if item.status == rules.MISSING]
    typed = [item for item in compared if item.status == rules.TYPE]
    parts = [f"{', '.join(missing)} missing"] if missing else []
    parts += [f"{item.name} is {_type(item.measured)} instead of {_type(item.baseline)}" for item in typed]
    moved = _moved(compared)
    parts += [f"{', '.join(moved)} moved"] if moved else []
    return "; ".join(parts), "The evaluation must report every metric of the lock, with the same type, in every run."


_REASONS = {
    Outcome.VERIFIED: _verified,
    Outcome.MISMATCH: _mismatch,
    Outcome.NOT_COMPARABLE: _not_comparable,
}


def _moved(comparisons: Iterable[Comparison]) -> list[str]:
    return [item.name for item in comparisons if not item.passed and item.status in (rules.MOVED, rules.IMPROVED)]


def _baselines(comparisons: Iterable[Comparison]) -> list[Comparison]:
    return [item for item in comparisons if item.status != rules.EXTRA]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _type(value: Value | None) -> str:
    return type(value).__name__
