"""What a verdict says, as frozen values. Its file format is described in docs/formats/verdict.md."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from repro.engines.model import EngineInfo
from repro.errors import ExitCode
from repro.runner.compare import Comparison
from repro.runner.documents import CellRun, Failure

Severity = Literal["error", "warning", "info"]


class Outcome(StrEnum):
    """How a verification can end, one exit code each."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    EVALUATION_FAILED = "evaluation-failed"
    NOT_COMPARABLE = "not-comparable"
    TAMPERED = "tampered"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    INFRASTRUCTURE_FAILED = "infrastructure-failed"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that ends so."""
        return _CODES[self]

    @classmethod
    def of(cls, code: int) -> "Outcome":
        """The outcome that an exit code stands for. Raises KeyError for the codes of usage errors and interrupts."""
        return {int(known): outcome for outcome, known in _CODES.items()}[code]


_CODES = {
    Outcome.VERIFIED: ExitCode.OK,
    Outcome.MISMATCH: ExitCode.MISMATCH,
    Outcome.EVALUATION_FAILED: ExitCode.EVALUATION_FAILED,
    Outcome.NOT_COMPARABLE: ExitCode.NOT_COMPARABLE,
    Outcome.TAMPERED: ExitCode.TAMPERED,
    Outcome.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    Outcome.TIMED_OUT: ExitCode.TIMED_OUT,
    Outcome.INFRASTRUCTURE_FAILED: ExitCode.INFRASTRUCTURE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something seen beside the metrics.

    Attributes:
        kind: What it is about, `[a-z-]+`: `lock`, `evaluation`, `runner`, `packages`, `python-drift`, ….
        severity: "error" decides the outcome, "warning" should be read, "info" explains.
        message: One sentence.
        evidence: Lines that show it: expected and found values, names.
    """

    kind: str
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """The image that was judged.

    Attributes:
        reference: What the person called it.
        id: What really ran.
        tags: Its names in the engine.
        repo_digests: `name@sha256:…` under which registries know it.
        platform: `os/architecture`.
    """

    reference: str
    id: str
    tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    platform: str = ""


@dataclass(frozen=True, slots=True)
class LockSummary:
    """The lock that the image was judged by.

    Attributes:
        digest: `sha256:…` of its bytes.
        source: "file" when the caller brought it, "image" when the one baked in had to do.
        subject: Path of the notebook or script.
        baseline_rerun: Whether its values come from a rerun; False when stored outputs were taken unproven.
    """

    digest: str
    source: Literal["file", "image"]
    subject: str
    baseline_rerun: bool


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The sealed run.

    Attributes:
        seconds: Wall-clock duration of the container.
        exit_code: Of the container; None when it was killed for time.
        cells: Executed code cells with their durations.
        failure: Why the evaluation did not complete, or None.
        log: The last lines that the container printed, kept where there is no failure to quote.
        python_version: Version that ran, "" when unknown.
        machine: What it ran on, for people.
        memory: Bytes that it was allowed, or None when unknown.
    """

    seconds: float
    exit_code: int | None
    cells: tuple[CellRun, ...] = ()
    failure: Failure | None = None
    log: tuple[str, ...] = ()
    python_version: str = ""
    machine: tuple[tuple[str, str], ...] = ()
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of verifying one image.

    Attributes:
        outcome: How it ended.
        reason: One sentence that says why.
        fix: What to do about it, or None.
        repro: Version of `repro` that judged.
        created: When, UTC, `YYYY-MM-DDThh:mm:ssZ`.
        image: What was judged, or None when it wasn't even found.
        lock: What it was judged by, or None when that couldn't be read.
        metrics: Every comparison, in order of name.
        findings: Everything else worth knowing.
        run: The sealed run, or None when nothing ran.
        engine: Where it ran, or None.
        evidence: Directory with the run's record, the executed notebook and this verdict, or None.
    """

    outcome: Outcome
    reason: str
    fix: str | None
    repro: str
    created: str
    image: ImageSummary | None = None
    lock: LockSummary | None = None
    metrics: tuple[Comparison, ...] = ()
    findings: tuple[Finding, ...] = ()
    run: RunSummary | None = None
    engine: EngineInfo | None = None
    evidence: str | None = None
