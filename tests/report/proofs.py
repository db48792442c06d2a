"""An explanation and a search that have something everywhere."""

from repro.proof.bisection import Answer, Bisection, Step
from repro.proof.changes import Change
from repro.proof.explanation import Conclusion, Explanation, Trial, TrialRun
from repro.proof.factors.model import LeftOut
from repro.runner.compare import Comparison
from repro.verify.model import Cause, ImageSummary, LockSummary, Outcome, Verdict

VERDICT = Verdict(
    outcome=Outcome.MISMATCH,
    reason="1 of 1 metrics moved: auc",
    fix="Look for what differs.",
    repro="0.1.0",
    created="2026-01-02T03:04:05Z",
    image=ImageSummary("churn:1", f"sha256:{'a' * 64}", platform="linux/amd64"),
    lock=LockSummary(f"sha256:{'b' * 64}", "file", "evaluate.ipynb", baseline_rerun=True),
    metrics=(Comparison("auc", 0.9, 0.8, -0.1, "moved", passed=False, rule="exact"),),
    causes=(
        Cause(
            rule="blas-kernel",
            message="BLAS chose other code for this CPU",
            laptop="Haswell",
            here="SkylakeX",
            where="libopenblas.so",
            confidence="likely",
            fix="Pin OPENBLAS_CORETYPE.",
        ),
    ),
    evidence="/project/.repro/runs/20260102T030405.000000Z-verify-bbbbbbbbbbbb",
)
TRIALS = (
    Trial(
        factor="blas-kernel",
        title="the OpenBLAS kernel",
        laptop="Haswell",
        here="SkylakeX",
        known=True,
        result="causal",
        forward=(TrialRun((0.9,)), TrialRun((0.9,))),
        back=(TrialRun((0.8,)), TrialRun((0.8,))),
        fix="Pin OPENBLAS_CORETYPE.",
    ),
    Trial("directory-order", "the order of directories", "sorted", "as this one does", known=False, result="no-flip",
          forward=(TrialRun((None,), "KeyError: x"),)),
)  # fmt: skip
CAUSAL = Explanation(
    conclusion=Conclusion.CAUSAL,
    reason="proved: the OpenBLAS kernel (Haswell on the laptop, SkylakeX here) moves auc, both ways, twice each",
    fix="Pin OPENBLAS_CORETYPE.",
    verdict=VERDICT,
    metrics=("auc",),
    trials=TRIALS,
    left_out=(LeftOut("hash-seed", "the hash seed", "the same on both sides: 0"),),
    runs=7,
)
SUSPECTED = Explanation(
    Conclusion.NOT_TRIED, "1 of 1 metrics moved: auc; likely: BLAS chose other code for this CPU", "Prove it.", VERDICT
)

_CHANGES = (Change("numpy", "changed", "1.26.4", "2.1.0"), Change("scipy", "changed", "1.11.0", "1.14.0"))
FOUND = Bisection(
    answer=Answer.SEVERAL,
    reason="no single package moves auc: these 2 do together",
    metric="auc",
    changes=_CHANGES,
    total=3,
    before=0.9,
    after=0.8,
    confirmed=True,
    runs=4,
    reused=1,
    steps=(
        Step((), 0.9, "A", "", kept=True, ran=True),
        Step(("numpy", "scipy", "six"), 0.8, "B", "", kept=False, ran=True),
        Step(("numpy",), None, "", "it can't be installed: two files", kept=False, ran=False),
    ),
    beside=("data data/test.csv",),
)
