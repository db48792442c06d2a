"""Verdicts to render, one for each way to end."""

import math

from repro.outputs.model import OutputComparison
from repro.runner.compare import Comparison, compare
from repro.runner.documents import CellRun, ExpectedMetric, Failure, MeasuredMetric
from repro.verify.model import (
    Cause,
    Finding,
    GateResult,
    ImageSummary,
    LockSummary,
    MetricRuns,
    Outcome,
    RunsSummary,
    RunSummary,
    Verdict,
)
from tests.verify.samples import INFO

IMAGE = ImageSummary("churn:1", f"sha256:{'ab' * 32}", ("churn:1",), (), "linux/amd64")
LOCK = LockSummary(f"sha256:{'cd' * 32}", "file", "notebooks/evaluate.ipynb", baseline_rerun=True)
RUN = RunSummary(
    seconds=75.4,
    exit_code=0,
    cells=(CellRun(1, 0.5), CellRun(2, 74.0)),
    python_version="3.11.7",
    machine=(("cpus", "2"),),
)


def comparisons() -> tuple[Comparison, ...]:
    """Every status, and every awkward value."""
    expected = [
        ExpectedMetric("auc", 0.1 + 0.2, "higher", absolute=1e-9),
        ExpectedMetric("bias", 0.0),
        ExpectedMetric("broken", math.nan),
        ExpectedMetric("ceiling", math.inf),
        ExpectedMetric("gone", 1.5),
        ExpectedMetric("label", "größer\x1b[31m als ein sehr langer Name für eine Klasse"),
        ExpectedMetric("n", 285),
        ExpectedMetric("ok", value=True),
        ExpectedMetric("r2", 0.5, "higher", relative=0.001),
        ExpectedMetric("rmse", 0.5, "lower", relative=0.01, absolute=1e-12),
    ]
    measured = [
        MeasuredMetric("auc", 0.3, "metrics.json"),
        MeasuredMetric("bias", -0.0, "metrics.json"),
        MeasuredMetric("broken", math.nan, "metrics.json"),
        MeasuredMetric("ceiling", 3.5, "metrics.json"),
        MeasuredMetric("label", "kleiner", "metrics.json"),
        MeasuredMetric("n", 284, "metrics.json"),
        MeasuredMetric("new", 1e-300, "metrics.json"),
        MeasuredMetric("ok", 1, "metrics.json"),
        MeasuredMetric("r2", 0.75, "metrics.json"),
        MeasuredMetric("rmse", 0.501, "metrics.json"),
    ]
    return tuple(compare(expected, measured))


def verdict(outcome: Outcome, reason: str, **more: object) -> Verdict:
    known = {"fix": None, "repro": "0.1.0", "created": "2026-01-02T03:04:05Z", "image": IMAGE, "lock": LOCK}
    return Verdict(outcome=outcome, reason=reason, **{**known, "engine": INFO, **more})  # type: ignore[arg-type]


_SHORT = tuple(
    compare(
        [ExpectedMetric("auc", 0.9537037037037036), ExpectedMetric("n", 285)],
        [MeasuredMetric("auc", 0.9537037037037036, "metrics.json"), MeasuredMetric("n", 285, "metrics.json")],
    )
)
EVIL = "a|b`c``d <script>alert(1)</script> &amp; **x** _y_ [z](https://e.example) ]]> @you #1\n\x1b[2J\x00\u202e\ufffe"
"""A text that tries to be markup, a mention, a new line and a command to the terminal."""

_FAILURE = Failure(
    "cell",
    "ZeroDivisionError: division by zero",
    cell=2,
    source="scores = []\nprint(1 / len(scores))",
    traceback="Traceback (most recent call last):\n\x1b[0;31mZeroDivisionError\x1b[0m: division by zero",
)


def saying(text: str) -> Verdict:
    """A verdict in which everything that a run or a person could say is this text."""
    return verdict(
        Outcome.MISMATCH,
        text,
        fix=text,
        image=ImageSummary(text, IMAGE.id, (text,), (f"{text}@sha256:{'0' * 64}",), text, (f"sha256:{'1' * 64}",)),
        lock=LockSummary(LOCK.digest, "file", text, baseline_rerun=True),
        metrics=tuple(compare([ExpectedMetric(text, text)], [MeasuredMetric(text, text[1:], text)])),
        run=RunSummary(1.0, 1, (), Failure("cell", text, 1, text, text, (text,)), (text,), text, ((text, text),)),
        findings=(Finding("run", "warning", text, (text, "")),),
        gates=(GateResult(text, text, text, passed=False),),
        causes=(Cause(text, text, text, text, text, "certain", text, (text,)),),
        runs=RunsSummary(2, (MetricRuns(text, (text,), (text, None), text),), text, (text,)),
    )


VERDICTS = {
    "verified": verdict(
        Outcome.VERIFIED,
        "2 metrics as on the laptop, bit for bit",
        metrics=_SHORT,
        run=RUN,
        evidence="project/.repro/runs/20260102T030405Z-verify",
    ),
    "every-status": verdict(
        Outcome.MISMATCH,
        "4 of 10 metrics moved: bias, ceiling, label, n",
        fix="Look for what differs (seeds, hardware, clock); if the difference is harmless, allow it with a tolerance.",
        metrics=comparisons(),
        run=RUN,
        findings=(
            Finding(
                "baseline", "warning", "the baseline was taken from stored outputs (--no-run): nobody has shown it"
            ),
            Finding("extra", "info", "new is not in the lock: nothing to compare it with"),
        ),
    ),
    "failed-cell": verdict(
        Outcome.EVALUATION_FAILED,
        "cell 2: ZeroDivisionError: division by zero",
        fix="It ran on the laptop but not in the image.",
        run=RunSummary(3.0, 3, (CellRun(1, 0.5),), _FAILURE, (), "3.11.7"),
    ),
    "tampered": verdict(
        Outcome.TAMPERED,
        "the image was made from another lock",
        fix="Build the image again with `repro build`, or name the lock that it was made from with --lock.",
        findings=(
            Finding(
                "lock",
                "error",
                "the image was made from another lock",
                (f"this lock: sha256:{'12' * 32}", f"its label dev.repro.lock.digest: sha256:{'34' * 32}"),
            ),
        ),
    ),
    "no-record": verdict(
        Outcome.OUT_OF_MEMORY,
        "the evaluation was killed for want of memory",
        lock=LockSummary(LOCK.digest, "image", LOCK.subject, baseline_rerun=True),
        run=RunSummary(3.0, 137, log=("[1/2] import numpy… 0.5 s", "Killed\x07")),
    ),
    "explained": verdict(
        Outcome.MISMATCH,
        "1 of 2 metrics moved: auc",
        fix="Install numpy 1.26.4 as on the laptop.",
        metrics=tuple(
            compare(
                [ExpectedMetric("auc", 0.75, "higher"), ExpectedMetric("n", 285)],
                [MeasuredMetric("auc", 0.5, "metrics.json"), MeasuredMetric("n", 285, "metrics.json")],
            )
        ),
        run=RUN,
        gates=(GateResult("auc", "≥ 0.7", 0.5, passed=False), GateResult("gone", "≤ 3", None, passed=False)),
        causes=(
            Cause(
                "package-changed",
                "numpy is another version",
                "1.26.4",
                "2.0.1",
                "numpy",
                "likely",
                "Install numpy 1.26.4 as on the laptop.",
                ("numpy: 1.26.4 in the lock, 2.0.1 in the image",),
            ),
            Cause("threads", "OpenBLAS used another number of threads", "8", "2", "", "possible", "Set threads = 2."),
        ),
        runs=RunsSummary(
            3,
            (MetricRuns("auc", (0.75, 0.75), (0.5, 0.25, None), "they differ between runs"),),
            "cell 4, output 1",
            ("numpy.random is not seeded",),
        ),
    ),
    "hostile": saying(EVIL),
    "outputs": verdict(
        Outcome.MISMATCH,
        "2 metrics as on the laptop, bit for bit, but out/predictions.csv differs",
        fix="Look where it differs.",
        metrics=_SHORT,
        run=RUN,
        outputs=(
            OutputComparison(
                "out/predictions.csv",
                "table",
                "moved",
                passed=False,
                rule="±1e-09 or ±0.0001 %, rows by id",
                summary="1 of 9 cells differ, in label",
                details=("label: 1 cell", "  id=3: 'dog', here 'cat'"),
            ),
            OutputComparison("out/a.png", "figure", "within", True, "±2 of 255", "pixels differ", (), "outputs/a.png"),
            OutputComparison("weights.npz", "array", "same", True, "exact", "the same bits"),
        ),
    ),
    "infrastructure": verdict(
        Outcome.INFRASTRUCTURE_FAILED,
        "no container engine answers",
        fix="Start Docker.",
        image=ImageSummary("churn:1", ""),
        lock=None,
        engine=None,
        findings=(Finding("unfinished", "error", "no container engine answers", ("DOCKER_HOST: refused",)),),
    ),
}
