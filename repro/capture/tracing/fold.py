"""The text of expressions that are constant paths, as far as it can be told from source alone."""

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence

_JOINERS = {
    *("Path", "PurePath", "PosixPath", "PurePosixPath", "join", "str", "fspath"),
    *("expanduser", "abspath", "realpath", "normpath"),
}
_OPEN_END = re.compile(r"[*?\[{%]")
_QUOTED = re.compile(r"""'([^'\n]+)'|"([^"\n]+)\"""")


def known(workdir: object, environ: Mapping[str, str]) -> dict[str, str]:
    """The names that `fold` starts from: `$NAME` is a variable of the run, `$` its working directory."""
    return {"$": str(workdir), **{f"${name}": value for name, value in environ.items()}}


def fold(node: ast.AST | None, names: Mapping[str, str]) -> str | None:  # noqa: PLR0911 - one for each kind of node
    """The text of an expression that is a constant path, else None. `names` has variables and their texts."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined((left, right), names)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _concatenated((left, right), names)
        case ast.Attribute(value=value, attr="parent"):
            inner = fold(value, names)
            return None if inner is None else os.path.dirname(inner)  # noqa: PTH120
        case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
            return names.get(f"${name}")
        case ast.Call():
            return _called(node, names)
        case ast.JoinedStr(values=values):
            return _concatenated(values, names)
    return None


def beginnings(node: ast.AST, names: Mapping[str, str]) -> Iterator[str]:
    """What a path-like expression names, or else the folders that it begins with.

    Patterns, templates and texts with something unknown in them name the folder before the unknown; quoted parts of
    longer texts, such as queries, count like texts of their own.
    """
    match node:
        case ast.Constant(value=str(text)):
            yield from _texts(text)
        case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Div()) | ast.Call() | ast.Subscript() | ast.Attribute():
            whole = fold(node, names)
            if whole is not None:
                yield whole
            elif not isinstance(node, ast.Attribute | ast.Subscript):
                yield from _folder(_leading(node, names))


def _texts(text: str) -> Iterator[str]:
    for one in (text, *(first or second for first, second in _QUOTED.findall(text))):
        yield one
        if _OPEN_END.search(one):
            yield from _folder(_OPEN_END.split(one, maxsplit=1)[0])


def called(function: ast.expr) -> str:
    """The last part of a function's name; "" where it has none."""
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _called(call: ast.Call, names: Mapping[str, str]) -> str | None:  # noqa: PLR0911 - one for each function
    match call:
        case ast.Call(func=ast.Attribute(value=value, attr="resolve" | "absolute" | "expanduser"), args=[]):
            return fold(value, names)
        case ast.Call(func=ast.Attribute(attr="home"), args=[]):
            return "~"
        case ast.Call(func=ast.Attribute(attr="cwd" | "getcwd"), args=[]):
            return names.get("$")
        case ast.Call(func=ast.Attribute(value=value, attr="joinpath"), args=args):
            return _joined((value, *args), names)
        case ast.Call(args=[ast.Constant(value=str(name)), *default]) if _asks_variable(call.func):
            return names.get(f"${name}", fold(default[0], names) if default else None)
        case ast.Call(func=function, args=args) if args and called(function) in _JOINERS:
            return _joined(args, names)
    return None


def _asks_variable(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Attribute(attr="environ") | ast.Name(id="environ"), attr="get"):
            return True
    return called(function) == "getenv"


def _joined(nodes: Sequence[ast.AST], names: Mapping[str, str]) -> str | None:
    parts = [fold(node, names) for node in nodes]
    return None if None in parts else os.path.join(*(part or "" for part in parts))  # noqa: PTH118 - text stays text


def _concatenated(nodes: Sequence[ast.AST], names: Mapping[str, str]) -> str | None:
    parts = [fold(one.value if isinstance(one, ast.FormattedValue) else one, names) for one in nodes]
    return None if None in parts else "".join(part or "" for part in parts)


def _leading(node: ast.AST, names: Mapping[str, str]) -> str:
    """The known text at the start of an expression, with a separator where joining would put one."""
    match node:
        case ast.JoinedStr(values=values):
            return _known_start([one.value if isinstance(one, ast.FormattedValue) else one for one in values], names)
        case ast.BinOp(left=left, op=ast.Add()):
            return fold(left, names) or _leading(left, names)
        case ast.BinOp(left=left, op=ast.Div()):
            start = fold(left, names)
            return _leading(left, names) if start is None else f"{start}/"
        case ast.Call(func=function, args=[first, *_]) if called(function) in _JOINERS:
            start = fold(first, names)
            return _leading(first, names) if start is None else f"{start}/"
    return ""


def _known_start(nodes: Sequence[ast.AST], names: Mapping[str, str]) -> str:
    text = ""
    for node in nodes:
        part = fold(node, names)
        if part is None:
            break
        text += part
    return text


def _folder(text: str) -> Iterator[str]:
    folder = os.path.dirname(text)  # noqa: PTH120 - text stays text
    if folder:
        yield folder
