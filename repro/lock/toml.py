"""Values → TOML in one style. Which values are written, and where, is decided in the modules that use it."""

import json
import math
from collections.abc import Mapping

_WIDTH = 120

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...] | None


def table(name: str, fields: Mapping[str, Value]) -> str:
    """A table with its header, after an empty line."""
    return f"\n[{name}]\n{pairs(fields)}"


def inline(fields: Mapping[str, Value]) -> str:
    """An inline table."""
    inner = ", ".join(f"{key} = {_value(one)}" for key, one in fields.items() if one is not None)
    return f"{{ {inner} }}"


def wrapped(key: str, texts: tuple[str, ...]) -> str:
    """An array on one line where it fits, else on lines with as many items as fit."""
    line = f"{_key(key)} = {_value(texts)}"
    if len(line) <= _WIDTH:
        return f"{line}\n"
    lines, line = [f"{_key(key)} = ["], " "
    for item in (f" {_string(text)}," for text in texts):
        if len(line) > 1 and len(line) + len(item) > _WIDTH:
            lines.append(line)
            line = " "
        line += item
    return "\n".join([*lines, line, "]\n"])


def pairs(fields: Mapping[str, Value]) -> str:
    """A line for each pair that has a value."""
    return "".join(f"{_key(key)} = {_value(one)}\n" for key, one in fields.items() if one is not None)


def _key(key: str) -> str:
    bare = key and all(char.isascii() and (char.isalnum() or char in "-_") for char in key)
    return key if bare else _string(key)


def _value(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return _string(value)
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:  # pragma: no cover - Value is closed and None never reaches here
            raise TypeError(type(value))


def _float(value: float) -> str:
    """Shortest text that reads back to the same bits (Python's repr), spelled as TOML wants it."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _string(text: str) -> str:
    """A TOML basic string. JSON escapes are a subset of TOML's, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
