"""The rule about paths that only this laptop has."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from repro.capture.findings.model import Finding, Rule
from repro.capture.findings.names import Names, learn
from repro.capture.findings.source import Cell, Source

_HOME = re.compile(
    r"(?:file://)?(?:/home/[^/\s]+|/Users/[^/\s]+|/root)/|~[\w.-]*[/\\]\S|[A-Za-z]:[\\/]+Users[\\/]", re.ASCII
)
_DRIVE = re.compile(r"[A-Za-z]:(?:\\\\?|/)[\w .-]+[\\/]", re.ASCII)
_PLACES = re.compile(r"/(?:content|kaggle|dbfs|mnt|media|Volumes|workspace|scratch|gpfs|lustre)/[\w.-]")
_SYSTEM = re.compile(r"/(?:dev|proc|sys|tmp|etc|usr|bin|lib)(?:/|$)")
_QUIET = {"print", "display", "Markdown", "HTML", "markdown", "warn", "info", "debug", "warning", "error", "match"}
_IN_TEXT = re.compile(r"(?:^|[\s=\"'])((?:/home/|/Users/|~/)[^\s\"';&|]+)")
_LONGEST = 300
_SHOWN = 80
_CURE = "Put the file into the project and name it relative to the notebook or script."


def _check(source: Source) -> Iterator[Finding]:
    names = learn(source)
    for cell in source.cells:
        if cell.runs:
            for line, text in sorted({*_constants(cell), *_homes(cell, names), *_magics(cell)}):
                if source.root and text.replace("\\", "/").startswith(source.root):
                    continue  # the image has the project at the same place, and capture says so
                shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
                place = source.place(cell, line)
                what = f"`{shown}` is a path that only this laptop has"
                yield Finding(PATHS.name, "warning", place, what, _CURE)


def _constants(cell: Cell) -> Iterator[tuple[int, str]]:
    quiet = _not_paths(cell.nodes)
    for node in cell.nodes:
        match node:
            case ast.Constant(value=str(text), lineno=line) if id(node) not in quiet and _only_here(text):
                yield line, text


def _homes(cell: Cell, names: Names) -> Iterator[tuple[int, str]]:
    for node in cell.nodes:
        match node:
            case ast.Call(args=[ast.Constant(value="HOME" | "USERPROFILE"), *_]):
                home = bool(names.resolve(node.func) & {"os.getenv", "os.environ.get"})
            case ast.Call(args=[ast.Constant(value="~")], func=function):
                home = "os.path.expanduser" in names.resolve(function) or "pathlib.Path" in names.resolve(function)
            case ast.Call(func=function):
                home = "pathlib.Path.home" in names.resolve(function)
            case ast.Subscript(slice=ast.Constant(value="HOME" | "USERPROFILE"), ctx=ast.Load()):
                home = "os.environ" in names.resolve(node.value)
            case _:
                continue
        if home:
            yield node.lineno, ast.unparse(node)


def _magics(cell: Cell) -> Iterator[tuple[int, str]]:
    for magic in cell.magics:
        if not magic.name.startswith("%%"):
            yield from ((magic.line, text) for text in _IN_TEXT.findall(magic.text))


def _not_paths(nodes: Iterable[ast.AST]) -> set[int]:
    """Strings that say something: docstrings, what is printed, and keys."""
    found: set[int] = set()
    for node in nodes:
        match node:
            case ast.Expr(value=ast.Constant() as value):
                found.add(id(value))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _QUIET:
                found |= {id(one) for argument in node.args for one in ast.walk(argument)}
            case ast.Dict(keys=keys):
                found |= {id(key) for key in keys}
            case ast.Compare():
                found |= {id(one) for one in ast.walk(node)}
    return found


def _only_here(text: str) -> bool:
    if not 2 < len(text) <= _LONGEST or "\n" in text or "<" in text or "\0" in text:  # noqa: PLR2004 - `/x`
        return False
    if _HOME.match(text) or _DRIVE.match(text) or _PLACES.match(text):
        return True
    return text.startswith("/") and not _SYSTEM.match(text) and _exists(text)


def _exists(text: str) -> bool:
    """Whether an absolute path is there: `/Users of the site` is no path, `/data/train.csv` may be one."""
    try:
        return Path(text).exists()
    except OSError:
        return False


PATHS = Rule(
    "absolute-path",
    "warning",
    "A path that only this laptop has",
    "The path starts at the root of this laptop's disk or in a home directory, where nobody else, and no image, has "
    "the file. Put the file into the project and name it by a path that starts at the notebook: "
    '`pd.read_csv("data/train.csv")`.',
    _check,
)
