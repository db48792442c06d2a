"""Why two runs of the same work may differ: what the run was seen to depend on, its source, and how outputs differ."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from repro.capture.findings import Finding
from repro.capture.runs.model import Repeats
from repro.outputs.compare import OutputDifference
from repro.runner.observed import Observed, Place
from repro.words import few

_TELLING = ("unseeded-random", "own-input", "network-read", "wall-clock")
"""Rules whose findings explain a difference, the most likely first."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ROUNDING = 1e-6
_MOST = 4


def likely_causes(repeats: Repeats, observed: Observed, findings: Iterable[Finding]) -> tuple[str, ...]:
    """What may be the reason, the most likely first; only what happens up to the first cell that differs counts."""
    last = repeats.cell.cell if repeats.cell is not None else None
    telling = [one for one in findings if one.rule in _TELLING and _by_then(one.place.cell, last)]
    telling.sort(key=lambda one: _TELLING.index(one.rule))
    explained = {one.place.cell for one in telling if one.rule == _TELLING[0]}
    told = (*_from_difference(repeats), *_from_run(observed, last, explained), *map(str, telling))
    return tuple(dict.fromkeys(told))[:_MOST]


def _from_difference(repeats: Repeats) -> Iterator[str]:
    """What the values and outputs themselves tell."""
    widths = [spread.values for spread in repeats.moved]
    pairs = [(one, other) for one, *others in widths for other in others]
    if pairs and all(_close(one, other) for one, other in pairs):
        yield _LAST_DIGITS
    elif repeats.cell is not None and not pairs:
        yield from _from_output(repeats.cell)


_LAST_DIGITS = (
    "only the last digits differ: sums of several threads, whose order changes "
    "(try [run] threads = 1 in repro.toml), or a solver that stops at another step"
)


def _from_output(cell: OutputDifference) -> Iterator[str]:
    left, right = cell.baseline, cell.other
    ours, theirs = _NUMBER.findall(left), _NUMBER.findall(right)
    if sorted(re.findall(r"\w+", left)) == sorted(re.findall(r"\w+", right)) and left != right:
        yield "the same parts in another order: of a set, of threads, or of the files in a folder (sort them)"
    elif ours and _NUMBER.sub("", left) == _NUMBER.sub("", right) and all(map(_close, ours, theirs)):
        yield _LAST_DIGITS


def _close(one: object, other: object) -> bool:
    """Two numbers, or texts of numbers, that differ by less than rounding in a long computation does."""
    try:
        left, right = float(str(one)), float(str(other))
    except ValueError:
        return False
    return math.isclose(left, right, rel_tol=_ROUNDING)


def _from_run(observed: Observed, last: int | None, explained: Collection[int | None]) -> Iterator[str]:
    """What the run was seen to do, but for draws in cells whose source already says which call draws."""
    for fact in observed.unseeded():
        if _by_then(fact.place.cell, last) and fact.place.cell not in explained:
            yield f"{fact.generator} draws without a fixed seed{_where(fact.place)}"
    hosts = _listed([one.what for one in observed.network if _by_then(one.cell, last)])
    if hosts:
        yield f"it reads from the network ({hosts})"


def _where(place: Place) -> str:
    line = f", line {place.line}" if place.line else ""
    if place.owner == "project" and place.file:
        return f" in {place.file}{line}"
    return (f" in cell {place.cell}" if place.cell else "") + line


def _by_then(cell: int | None, last: int | None) -> bool:
    return cell is None or last is None or cell <= last


def _listed(names: Sequence[str]) -> str:
    return few(names, _MOST)
