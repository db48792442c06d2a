"""The values of metrics: which there are, when two are the same, and how they are written so that nothing is lost."""

from __future__ import annotations

import math
import struct
from typing import Union

Value = Union[float, int, bool, str]


def encode_value(value: Value) -> dict[str, str]:
    """A metric's value as JSON that loses nothing: its type and its text (floats by `repr`, which reads back exactly).

    Raises TypeError for anything but float, int, bool and str.
    """
    if isinstance(value, bool):
        return {"type": "bool", "text": "true" if value else "false"}
    for kind in (int, float, str):
        if isinstance(value, kind):
            return {"type": kind.__name__, "text": kind.__repr__(value) if kind is not str else str(value)}
    msg = f"a metric can't be a {type(value).__name__}"
    raise TypeError(msg)


def decode_value(data: dict[str, str]) -> Value:
    """The inverse of `encode_value`. Raises ValueError for an unknown type or text that doesn't fit it."""
    kind, text = data["type"], data["text"]
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "str":
        return text
    msg = f"not a metric value: {data!r}"
    raise ValueError(msg)


def same_bits(left: Value, right: Value) -> bool:
    """Whether two values are the same type and, for floats, the same 64 bits; any NaN equals any NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack("<d", left) == struct.pack("<d", right)
    return left == right
