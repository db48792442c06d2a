"""Rules `memory-limit` and `shared-memory`: there was less of it here than on the laptop."""

import math
import re
from collections.abc import Iterator

from repro.verify.causes.situation import Situation
from repro.verify.causes.words import cell
from repro.verify.model import Cause, Outcome

_SHORT = re.compile(r"\bMemoryError\b|Cannot allocate memory|Unable to allocate|std::bad_alloc|DefaultCPUAllocator")
_SHARED = re.compile(r"\bshm\b|[Ss]hared memory|Bus error|SIGBUS")
_MIB = 1 << 20


def memory_limit(situation: Situation) -> Iterator[Cause]:
    """Something was killed for want of memory, or was refused some."""
    out = situation.outcome is Outcome.OUT_OF_MEMORY
    refused = situation.failure is not None and bool(_SHORT.search(situation.failed_with))
    killed = any(situation.found("memory"))
    if not (out or refused or killed) or (_shared(situation) and not out):
        return
    laptop = _bytes(situation.laptop.record.machine.get("memory") if situation.laptop.record else None)
    yield Cause(
        rule="memory-limit",
        message="the evaluation ran out of memory here" if out or killed else "the evaluation was refused memory here",
        laptop=laptop,
        here=f"at most {_bytes(situation.memory)}" if situation.memory else _bytes(_limit(situation)),
        where=(cell(situation.failure.cell) if situation.failure else "") or "memory",
        confidence="certain" if out else "likely",
        fix="Give it more (--memory, or [run] memory in repro.toml), or let the evaluation use less.",
    )


def shared_memory(situation: Situation) -> Iterator[Cause]:
    """It is full: workers of PyTorch's loader, joblib and multiprocessing pass arrays through it."""
    failure = situation.failure
    if failure is None or not _shared(situation):
        return
    laptop, here = (
        None if side.record is None else side.record.machine.get("shm") for side in (situation.laptop, situation.here)
    )
    smaller = _number(here) < _number(laptop)
    yield Cause(
        rule="shared-memory",
        message="the evaluation failed over /dev/shm" + (", which is smaller here than on the laptop" * smaller),
        laptop=_bytes(laptop),
        here=_bytes(here),
        where=cell(failure.cell) or "/dev/shm",  # noqa: S108 - its name
        confidence="certain" if smaller else "likely",
        fix="Use fewer workers, or none (num_workers=0), or pass less through shared memory.",
        evidence=(failure.message,),
    )


def _shared(situation: Situation) -> bool:
    return bool(_SHARED.search(situation.failed_with))


def _limit(situation: Situation) -> str | None:
    return None if situation.here.record is None else situation.here.record.machine.get("memory_limit")


def _number(text: str | None) -> float:
    """Bytes; NaN, which is neither more nor less than anything, for what isn't known."""
    return int(text) if text is not None and text.isdecimal() else math.nan


def _bytes(number: int | str | None) -> str:
    bytes_ = _number(None if number is None else str(number))
    return "unknown" if math.isnan(bytes_) else f"{int(bytes_) // _MIB} MiB"
