"""Rule `fewer-digits`: the same number, written with fewer digits on one side."""

from collections.abc import Iterator
from decimal import Decimal

from repro.runner.compare import Comparison
from repro.verify.causes.situation import Situation
from repro.verify.model import Cause

_LEAST_CUT = 2  # digits: a number that ends in a zero has one less by chance
_LEAST_SHARE = 1e-3  # of the last digit: 0.5 and 0.5000000001 differ by rounding, not by how they are written

_SEVERAL = 2  # metrics: one that moved may be a short number by chance, such as 17 right ones of 20


def fewer_digits(situation: Situation) -> Iterator[Cause]:
    """Metrics one value of which is the other one rounded."""
    sources = {metric.name: metric.source for metric in situation.lock.metrics}
    cut = {one.name: side for one in situation.moved if (side := _cut(one))}
    sure = len(cut) == len(situation.moved) >= _SEVERAL
    for one in situation.moved:
        if one.name in cut:
            side = cut[one.name]
            yield Cause(
                rule="fewer-digits",
                message=f"{one.name} has the same value, but {side} it was written with fewer digits",
                laptop=str(one.baseline),
                here=str(one.measured),
                where=f"{one.name}, {sources.get(one.name, '')}".rstrip(", "),
                confidence="certain" if sure else "likely",
                fix="Report the number itself on both sides, not its formatted text; then capture again.",
            )


def _cut(one: Comparison) -> str:
    """On which side digits are missing, or ""."""
    if not (isinstance(one.baseline, float) and isinstance(one.measured, float)):
        return ""
    baseline, measured = _digits(one.baseline), _digits(one.measured)
    if baseline is None or measured is None or abs(baseline - measured) < _LEAST_CUT:
        return ""
    if abs(one.measured - one.baseline) < _LEAST_SHARE * 10.0 ** -min(baseline, measured):
        return ""
    if baseline < measured:
        return "on the laptop" if round(one.measured, baseline) == one.baseline else ""
    return "here" if round(one.baseline, measured) == one.measured else ""


def _digits(number: float) -> int | None:
    """Digits after the point of its shortest text; None for what has none."""
    exponent = Decimal(repr(number)).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else None
