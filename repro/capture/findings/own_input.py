"""The rule about a notebook or script that reads what it writes itself, so that each run starts from another state."""

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repro.capture.findings.model import Finding, Rule, Run
from repro.capture.findings.names import argument
from repro.capture.findings.source import Cell, Source
from repro.capture.tracing.fold import fold

_APPENDS = {"a", "ab", "a+", "at", "ab+", "r+", "rb+", "r+b", "a+b"}
_WRITING = re.compile(r"[wx][bt+]*")
_WRITERS = re.compile(r"to_(?!numpy|dict|list|datetime|numeric|string)\w+|save\w*|dump|write\w*|export\w*")
_READERS = {"open", "load", "loads", "loadtxt", "genfromtxt", "imread", "read_text", "read_bytes", "File", "connect"}
_STATES = {"exists", "isfile", "is_file", "unlink", "remove", "print", "stat", "getsize", "mkdir", "makedirs", "rmtree"}
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class _Use:
    cell: Cell
    line: int
    path: str
    kind: str  # read, write or append


def _check(source: Source) -> Iterator[Finding]:
    """Appending to a file that is read too, and reading a file before it is written."""
    first: dict[str, _Use] = {}
    told: set[str] = set()
    uses = list(_uses(source))
    reads = {use.path for use in uses if use.kind == "read"}
    for use in uses:
        if use.path in told:
            continue
        if use.kind == "append" and use.path in reads and first.get(use.path, use).kind != "write":
            told.add(use.path)
            what = f"`{use.path}` grows with every run, and is read"
            yield _finding(source, use, what, "Write it anew in each run, or don't read it.")
        elif use.kind == "write" and first.get(use.path, use).kind == "read":
            told.add(use.path)
            read = first[use.path]
            where = f"in cell {use.cell.number}" if use.cell.number != read.cell.number else f"in line {use.line}"
            what = f"`{use.path}` is read here, and written {where}: a run reads what the one before it left"
            yield _finding(source, read, what, "Write to another file, or read only what this run has written.")
        first.setdefault(use.path, use)


def _finding(source: Source, use: _Use, what: str, cure: str) -> Finding:
    return Finding(OWN_INPUT.name, "warning", source.place(use.cell, use.line), what, cure)


def _uses(source: Source) -> Iterator[_Use]:
    texts = _texts(source)
    for cell, call in source.calls():
        kind = _kind(call, texts)
        if kind is not None:
            for path in _paths(call, texts):
                yield _Use(cell, call.lineno, path, kind)


def _kind(call: ast.Call, texts: dict[str, str]) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _STATES:
        return None
    mode = argument(call, "mode", 1 if name in {"open", "File"} else None)
    given = fold(mode, texts) if mode is not None else None
    if given in _APPENDS:
        return "append"
    if _WRITERS.fullmatch(name) or (given is not None and _WRITING.fullmatch(given)):
        return "write"
    return "read" if name.startswith(("read_", "load_")) or name in _READERS else None


def _paths(call: ast.Call, texts: dict[str, str]) -> Iterator[str]:
    """Files that a call names: in its first two arguments, or as what its method belongs to."""
    owner = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    named = [one.value for one in call.keywords if one.arg in {"path", "fname", "file", "path_or_buf", "filename"}]
    for one in (*owner, *call.args[:2], *named):
        text = fold(one, texts)
        if text and "." in text and len(text) <= _LONGEST and not set("\n:*<>\0") & set(text):
            yield posixpath.normpath(text)


def _texts(source: Source) -> dict[str, str]:
    """Names that stand for one constant text."""
    found: dict[str, str | None] = {}
    for _, node in source.nodes():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = fold(value, {key: known for key, known in found.items() if known})
                found[name] = text if found.get(name, text) == text else None
    return {name: text for name, text in found.items() if text}


def _settle(source: Source, findings: tuple[Finding, ...], run: Run) -> Iterator[Finding]:
    """What the run read before it wrote: those files are in the lock. Files that it wrote first are not."""
    folder = posixpath.dirname(source.path)
    for one in findings:
        path = one.what.split("`")[1]
        if "grows" in one.what or posixpath.normpath(posixpath.join(folder, path)) in run.inputs:
            yield one


OWN_INPUT = Rule(
    "own-input",
    "warning",
    "It reads what it writes itself",
    "A run starts from what the one before it left, so two runs in a row give different results, and a run without "
    "that file another one still. A cached result of an earlier run hides what would come out today. Write to another "
    "file than is read, or make the file anew in every run.",
    _check,
    _settle,
    disprovable=True,
)
