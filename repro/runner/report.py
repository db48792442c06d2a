"""The image's plain-text report: what runs, the metrics against the baseline, and one line that says the outcome."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TextIO

from .compare import IMPROVED, MISSING, SAME, TYPE, Comparison
from .documents import Failure, RunRecord, Value
from .events import CELL_FINISHED, CELL_STARTED, KERNEL_READY, OUTPUT, Event
from .gates import GateResult, gate_text

_TITLE = 60
_HEADINGS = ("metric", "baseline", "measured", "difference", "tolerance", "verdict")
_NOTHING = "—"


class Progress:
    """Draws events: a cell's line begins when it starts and is completed when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._open = False

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        if event.kind == KERNEL_READY:
            self._write(f"kernel ready, {event.total} code cells\n")
        elif event.kind == CELL_STARTED:
            self._write(f"[{event.number}/{event.total}] {_shortened(event.title).removesuffix('…')}…")
            self._open = True
        elif event.kind == CELL_FINISHED:
            self._open = False
            self._write(f" {event.seconds:.1f} s\n")
        elif event.kind == OUTPUT:
            self._write(f"  {event.title}\n")

    def finish(self) -> None:
        """Complete a line that a failure left open."""
        if self._open:
            self._open = False
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def table(comparisons: Sequence[Comparison]) -> str:
    """The comparison as aligned columns; numbers by `repr`, which loses nothing."""
    rows = [_HEADINGS, *map(_row, comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ("  ".join(cell.ljust(widths[column]) for column, cell in enumerate(row)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def difference_text(item: Comparison) -> str:
    """The difference with its sign, whole numbers in full, others to six digits; 0 where nothing differs."""
    if item.status == SAME:
        return "0"
    if item.difference is None:
        return _NOTHING
    if type(item.baseline) is int and type(item.measured) is int:
        return f"{item.measured - item.baseline:+d}"
    return "nan" if math.isnan(item.difference) else f"{item.difference:+.6g}"


def notes(comparisons: Sequence[Comparison], gates: Sequence[GateResult]) -> str:
    """Lines below the table: samples that came out otherwise, improvements, NaN, and every gate."""
    lines = [f"{item.name}: {text}" for item in comparisons for text in _remarks(item)]
    lines += [f"gate: {gate.metric} {gate.rule}: {'kept' if gate.passed else 'NOT kept'}" for gate in gates]
    return "".join(f"{line}\n" for line in lines)


def flips_text(item: Comparison) -> str:
    """How many samples came out otherwise; "" where that isn't known or none did."""
    return f"{item.flips} of {item.samples} samples flipped" if item.flips else ""


def _remarks(item: Comparison) -> Iterator[str]:
    flipped = flips_text(item)
    if flipped:
        yield flipped
    if item.status == IMPROVED:
        yield "better than the baseline, beyond its tolerance: make sure that it isn't leakage"
    if item.status == SAME and isinstance(item.measured, float) and math.isnan(item.measured):
        yield "NaN, here as on the laptop"


def failure_text(failure: Failure) -> str:
    """The failure with all its evidence; the source only where the traceback doesn't quote it whole."""
    place = f"cell {failure.cell}: " if failure.cell else ""
    parts = [f"{place}{failure.message}"]
    parts += [f"  - {problem}" for problem in failure.problems]
    if failure.source and not all(line.strip() in failure.traceback for line in failure.source.splitlines()):
        parts.append(_indented(failure.source))
    if failure.traceback:
        parts.append(_indented(failure.traceback))
    return "\n".join(parts)


def verdict(record: RunRecord, comparisons: Sequence[Comparison], gates: Sequence[GateResult], code: int) -> str:
    """One line."""
    if record.failure is not None:
        return f"NOT VERIFIED: {_KINDS.get(record.failure.kind, 'the evaluation failed')} (exit code {code})"
    compared = [item for item in comparisons if item.baseline is not None]
    if not compared:
        return f"NOT VERIFIED: the lock has no metric to compare with (exit code {code})"
    absent = [item.name for item in compared if item.status in (MISSING, TYPE)]
    if absent:
        return f"NOT VERIFIED: missing or of another type: {', '.join(absent)} (exit code {code})"
    bad = [item.name for item in compared if not item.passed]
    failed = [gate_text(gate) for gate in gates if not gate.passed]
    if bad:
        moved = f"{len(bad)} of {len(compared)} metrics differ: {', '.join(bad)}"
        return f"NOT VERIFIED: {'; '.join([moved, *failed])} (exit code {code})"
    same = sum(item.status == SAME for item in compared)
    detail = "all bit for bit" if same == len(compared) else f"{same} bit for bit, the others within their tolerance"
    if failed:
        return f"NOT VERIFIED: as on the laptop, {detail}, but {'; '.join(failed)} (exit code {code})"
    return f"VERIFIED: {len(compared)} of {len(compared)} metrics agree with the baseline, {detail}"


_KINDS = {
    "tampered": "the image's content is not what the lock says",
    "unmounted": "files that this image needs are not mounted",
    "metrics": "the metrics can't be read",
    "memory": "the evaluation ran out of memory",
    "timeout": "the evaluation ran out of time",
    "start": "the evaluation could not be started",
    "died": "the evaluation was ended from outside or crashed",
}


def _row(item: Comparison) -> tuple[str, ...]:
    return item.name, _shown(item.baseline), _shown(item.measured), difference_text(item), item.rule, item.status


def _shown(value: Value | None) -> str:
    return _NOTHING if value is None else repr(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _TITLE else text[: _TITLE - 1] + "…"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
