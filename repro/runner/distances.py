"""How far a measured value is from its baseline, in each of the ways that a tolerance can be stated. Pure numbers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Optional

from .documents import Value

CONFIDENCE = 0.99
"""Of the prediction interval, two-sided."""
_SHARE = 1e-7
"""How far a float may be from the share of samples that it stands for: 32-bit floats are as exact as this up to 1."""
_SIGN = 1 << 63


def is_number(value: Optional[Value]) -> bool:
    """Whether it is a number: bools aren't."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def ulps(left: Value, right: Value) -> Optional[int]:
    """How many 64-bit floats lie between two floats, the second one counted; None unless both are finite floats.

    Zero and negative zero are none apart.
    """
    if not (isinstance(left, float) and isinstance(right, float) and math.isfinite(left) and math.isfinite(right)):
        return None
    return abs(_rank(left) - _rank(right))


def whole_samples(value: Value, samples: int) -> Optional[int]:
    """How many of the samples a value stands for, as a count (int) or a share (float); None where it is no such."""
    if isinstance(value, (bool, str)):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= samples else None
    if not 0.0 <= value <= 1.0:  # NaN too
        return None
    count = round(value * samples)
    return count if abs(value - count / samples) <= _SHARE else None


def printed_apart(left: Value, right: Value, digits: int) -> Optional[Decimal]:
    """How many units of the last printed digit lie between two floats that were printed with so many after the point.

    Decimals, because 0.92 - 0.91 is more than 0.01 in binary. None unless both are finite floats.
    """
    if not (isinstance(left, float) and isinstance(right, float) and math.isfinite(left) and math.isfinite(right)):
        return None
    return abs(Decimal(repr(left)) - Decimal(repr(right))).scaleb(digits)


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the next value lies with `CONFIDENCE`, if all are drawn from one normal distribution.

    mean ± t·s·√(1 + 1/N) with Student's t for N - 1 degrees of freedom, the interval for one further observation of
    Hahn and Meeker, Statistical Intervals (1991).

    Raises ValueError for fewer than two values.
    """
    count = len(values)
    if count < 2:  # noqa: PLR2004 - a spread takes two
        msg = "a spread takes at least two values"
        raise ValueError(msg)
    mean = math.fsum(values) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = student_t(count - 1, CONFIDENCE) * deviation * math.sqrt(1 + 1 / count)
    return mean - half, mean + half


def student_t(freedom: int, confidence: float) -> float:
    """The t that a share `confidence` of Student's distribution lies within, on both sides; nine digits of it.

    By bisection over the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4. Rounded, so that two C libraries
    that differ in the last digit of a cosine come to the same interval.
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _share_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return float(f"{math.tan(low) * math.sqrt(freedom):.9g}")


def _share_within(angle: float, freedom: int) -> float:
    """The share of Student's distribution within ±t, where `angle` is the arc tangent of t/√freedom."""
    cosine = math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= cosine * cosine * power / (power + 1)
    return (angle + math.sin(angle) * total) * 2 / math.pi if odd else math.sin(angle) * total


def _rank(value: float) -> int:
    """Floats in their order as integers in theirs."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return _SIGN - bits if bits & _SIGN else bits
