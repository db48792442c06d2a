"""The image's exit codes, the same as every command's (`repro.errors.ExitCode`), and the rule that chooses one."""

from __future__ import annotations

from collections.abc import Sequence

from .compare import MISSING, TYPE, Comparison
from .documents import Failure
from .gates import GateResult

OK = 0
MISMATCH = 1
USAGE = 2
EVALUATION_FAILED = 3
INFRASTRUCTURE = 4
TAMPERED = 5
NOT_COMPARABLE = 6
OUT_OF_MEMORY = 7
TIMED_OUT = 8
INTERRUPTED = 130

_FAILURES = {
    "tampered": TAMPERED,
    "unmounted": NOT_COMPARABLE,
    "metrics": NOT_COMPARABLE,
    "memory": OUT_OF_MEMORY,
    "timeout": TIMED_OUT,
}


def exit_code(failure: Failure | None, comparisons: Sequence[Comparison], gates: Sequence[GateResult] = ()) -> int:
    """The outcome as a number.

    A metric that can't be compared outweighs one that moved: the contract is broken, not only the number. Nothing to
    compare is not a pass either. A gate that isn't kept ends as a metric that moved does, also where none did.
    """
    if failure is not None:
        return _FAILURES.get(failure.kind, EVALUATION_FAILED)
    compared = [item for item in comparisons if item.baseline is not None]
    if not compared or any(item.status in (MISSING, TYPE) for item in compared):
        return NOT_COMPARABLE
    good = all(item.passed for item in compared) and all(gate.passed for gate in gates)
    return OK if good else MISMATCH
