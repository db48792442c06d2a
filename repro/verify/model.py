"""What a verdict says, as frozen values. Its file format is described in docs/formats/verdict.md."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from repro.engines.model import EngineInfo
from repro.errors import ExitCode
from repro.outputs.model import OutputComparison
from repro.runner.compare import Comparison
from repro.runner.documents import CellRun, Failure, Value
from repro.runner.gates import GateResult as GateResult  # noqa: PLC0414 - a part of the verdict that the runner makes

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
        layers: Digests of its unpacked layers, from the base upwards.
    """

    reference: str
    id: str
    tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    platform: str = ""
    layers: tuple[str, ...] = ()


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
class Cause:
    """Something that may explain why a metric moved, or why the evaluation failed here and not on the laptop.

    Attributes:
        rule: Which rule found it, `[a-z-]+`, such as `package-changed`, `threads`, `unseeded`.
        message: One sentence: what differs.
        laptop: What was seen there; "" where that says nothing.
        here: What was seen in this run; "" where that says nothing.
        where: Cell, file, package or setting; "" where it is the whole run.
        confidence: "certain" when it is enough for a difference, "likely", or "possible" when it only may be.
        fix: What to do.
        evidence: Lines that show it.
    """

    rule: str
    message: str
    laptop: str
    here: str
    where: str
    confidence: Literal["certain", "likely", "possible"]
    fix: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricRuns:
    """One metric over the runs of one verification.

    Attributes:
        name: The metric.
        baseline: On the laptop, the rerun that counts first, then those that capture added; None where unreported.
        values: In each run here, in order; None where unreported.
        statement: What can be said of them in one sentence: test, confidence, smallest shift that would have shown.
    """

    name: str
    baseline: tuple[Value | None, ...]
    values: tuple[Value | None, ...]
    statement: str


@dataclass(frozen=True, slots=True)
class RunsSummary:
    """How several runs of one image differ.

    Attributes:
        runs: How many there were.
        metrics: Each metric.
        cell: Where they first show something else, for people; "" where they all show the same.
        causes: What kind of randomness was seen, the most likely first.
    """

    runs: int
    metrics: tuple[MetricRuns, ...]
    cell: str = ""
    causes: tuple[str, ...] = ()


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
        gates: Limits of metrics, reported beside "same as the laptop".
        causes: What may explain a difference, the most likely first.
        runs: What several runs showed; None where there was one.
        outputs: Every file that the lock holds a rerun to, in order of name.
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
    gates: tuple[GateResult, ...] = ()
    causes: tuple[Cause, ...] = ()
    runs: RunsSummary | None = None
    outputs: tuple[OutputComparison, ...] = ()
