"""Which functions the sources call, by full name as far as imports tell: for what no trace can see, such as clocks."""

import ast
import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MAGIC = re.compile(r"(?m)^(\s*)[%!?].*$|^(\s*)\w+\s*=\s*[%!].*$")


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        name: Dotted, such as `datetime.datetime.now`; a method of something unknown begins with a dot: `.iterdir`.
        where: Key of the source.
        line: In that source.
        keywords: Keyword arguments; None for those that are no constants.
        arguments: How many there are without a keyword.
    """

    name: str
    where: str
    line: int
    keywords: Mapping[str, object]
    arguments: int


def calls(sources: Mapping[str, str]) -> Iterator[Call]:
    """Every call in sources that parse; cells share their imports."""
    trees = {where: tree for where, text in sources.items() if (tree := _parsed(text)) is not None}
    names: dict[str, str] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            names.update(_imported(node))
    for where, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                constant = {
                    one.arg: _constant(one.value)
                    for one in node.keywords
                    if one.arg and _constant(one.value) is not None
                }
                yield Call(_dotted(node.func, names), where, node.lineno, constant, len(node.args))


def _parsed(text: str) -> ast.Module | None:
    """The tree of a source: as it is, else without magics; None where neither parses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strings with `\d` and the like, which are the author's matter
        for attempt in (text, _MAGIC.sub(lambda found: f"{found.group(1) or found.group(2) or ''}pass", text)):
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                return ast.parse(attempt)
    return None


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=names):
            for one in names:
                yield (one.asname, one.name) if one.asname else (one.name.partition(".")[0],) * 2
        case ast.ImportFrom(module=str(module), names=names):
            for one in names:
                yield one.asname or one.name, f"{module}.{one.name}"


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=name):
            inner = _dotted(value, names)
            known = isinstance(value, ast.Name | ast.Attribute) and inner.partition(".")[0] in _roots(names)
            return f"{inner}.{name}" if known else f".{name}"
    return ""


def _roots(names: Mapping[str, str]) -> set[str]:
    return {full.partition(".")[0] for full in names.values()}


def _constant(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None
