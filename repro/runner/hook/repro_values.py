"""Reads metrics out of a living IPython kernel, exactly and without leaving a mark in the user's namespace."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

_MOST_DIGITS = 4000
_TOO_LARGE: int = 10**_MOST_DIGITS
_LOOKED_THROUGH = ("%%time", "%%capture")


def metrics(source: str, count: int) -> str:
    """What a cell tagged `metrics` reports: the mapping that it ends in, else the scalars that it assigns.

    Args:
        source: The cell as written.
        count: Its execution count, under which Out holds its last value.

    Returns:
        JSON: {"metrics": [[name, {"type", "text"}], …], "problems": [sentence, …], "ending": what it ends in where
        that was not taken, or "", "skipped": [assigned name with its type, …] of lists and the like, "empty": [name, …]
        of those that are None}.
    """
    from IPython import get_ipython  # type: ignore[import-not-found] # noqa: PLC0415 - there is one: a kernel asks

    shell = get_ipython()
    statements = _statements(shell, source)
    ends_in_value = bool(statements) and isinstance(statements[-1], ast.Expr)
    result = shell.user_ns.get("_oh", {}).get(count) if ends_in_value else None
    report = _Report()
    if _is_mapping(result):
        report.add("", result)
    else:
        for name in _assigned(statements):
            report.take(name, shell.user_ns.get(name))
    report.end(result)
    return json.dumps(
        {
            "metrics": report.found,
            "problems": report.problems,
            "ending": report.ending,
            "skipped": report.skipped,
            "empty": report.empty,
        }
    )


class _Report:
    """Collects named scalars and what is none."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, str]]] = []
        self.problems: list[str] = []
        self.skipped: list[str] = []
        self.empty: list[str] = []
        self.ending = ""

    def take(self, name: str, value: Any) -> None:
        """An assigned value: predictions are assigned too, hence lists and arrays are told, not taken."""
        if value is None or _is_too_long(value) or _scalar(value) is not None:
            self.add(name, value)
        elif _is_collection(value):
            self.skipped.append("%s (%s)" % (name, type(value).__name__))

    def end(self, result: Any) -> None:
        """Note the last value unless it was taken, or is one that nobody would take for metrics."""
        if result is None or self.problems or (self.found and (_is_mapping(result) or not _is_collection(result))):
            return
        empty = isinstance(result, Mapping) and not result
        self.ending = ("empty " if empty else "") + type(result).__name__

    def add(self, name: str, value: Any) -> None:
        """Nested mappings join their keys with dots, sequences and arrays add [i]."""
        if _is_too_long(value):
            self.problems.append("%s is an int of more than %d digits" % (name, _MOST_DIGITS))
            return
        if value is None:
            self.empty.append(name)
            return
        encoded = _scalar(value)
        if encoded is not None:
            self.found.append((name, encoded))
        elif _is_mapping(value):
            for key, item in value.items():
                self.add(name + "." + _key(key) if name else _key(key), item)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.add("%s[%d]" % (name, index), item)
        elif getattr(value, "shape", None) and callable(getattr(value, "tolist", None)):
            self.add(name, value.tolist())
        else:
            self.problems.append("%s is a %s, not a number, a bool or text" % (name, type(value).__name__))


def _key(key: object) -> str:
    return ".".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _statements(shell: Any, source: str) -> list[ast.stmt]:
    """The cell's top-level statements as Python sees them: magics replaced, `%%time` and `%%capture` looked through."""
    first, _, rest = source.lstrip().partition("\n")
    if first.split(" ")[0].strip() in _LOOKED_THROUGH:
        source = rest
    code: str = shell.transform_cell(source)
    return ast.parse(code).body


def _assigned(statements: list[ast.stmt]) -> list[str]:
    """Public names that the statements assign, in order."""
    names: dict[str, None] = {}
    for statement in statements:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for node in (node for target in targets for node in ast.walk(target)):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not node.id.startswith("_"):
                    names[node.id] = None
    return list(names)


def _is_mapping(value: object) -> bool:
    kind = type(value)
    series = kind.__name__ == "Series" and kind.__module__.partition(".")[0] == "pandas"
    return isinstance(value, Mapping) or series


def _is_collection(value: object) -> bool:
    """Lists, arrays, tables and the like."""
    return _is_mapping(value) or isinstance(value, (list, tuple)) or bool(getattr(value, "shape", None))


def _is_too_long(value: object) -> bool:
    return isinstance(value, int) and abs(value) >= _TOO_LARGE


def _scalar(value: Any) -> dict[str, str] | None:
    """{"type", "text"} of a scalar of Python, NumPy or the like, or None. `repr` of a float reads back exactly."""
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        value = value.item()
        if type(value).__name__ in ("longdouble", "float128", "float96"):  # whose item() is itself
            value = float(value)
    if isinstance(value, bool):
        return {"type": "bool", "text": "true" if value else "false"}
    if isinstance(value, int):
        return {"type": "int", "text": int.__repr__(value)}
    if isinstance(value, float):
        return {"type": "float", "text": float.__repr__(value)}
    if isinstance(value, str):
        return {"type": "str", "text": str(value)}
    return None
