"""What a notebook or script seems to read, told from its source alone: for captures that don't run it.

Constants that name existing files, joined by `/`, `Path` and `os.path.join`, and local imports followed recursively.
Less is found than by a run: names that are computed stay unknown.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST = 1024
_MAGIC = re.compile(r"^(\s*)([%!?].*|\S+\?\??\s*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)([%!].*)$")
_FOREIGN_CELL = re.compile(
    r"\s*%%(bash|sh|script|html|javascript|js|latex|markdown|svg|perl|ruby|R|sql|cython|writefile)\b"
)
_WRITERS = re.compile(r"(to_(?!numpy|dict|list|datetime|numeric)\w+|save\w*|dump|write\w*|export\w*)")
_JOINERS = {"Path", "PurePath", "PosixPath", "PurePosixPath", "join", "str", "fspath"}


@dataclass(frozen=True, slots=True)
class StaticTrace:
    """What a run's trace would say, as far as it can be told: absolute paths, all at the moment 0."""

    reads: Mapping[str, int] = field(default_factory=dict)
    writes: Mapping[str, int] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)


def static_inputs(sources: Iterable[str], root: Path, workdir: Path) -> StaticTrace:
    """Files named and local modules imported by code cells or a script.

    Args:
        sources: Source text of each cell, magics included, or of the script.
        root: Project root; modules are looked for in `workdir`, then here and in its `src`.
        workdir: Working directory of the run, absolute.
    """
    finder = _Finder(workdir, tuple(dict.fromkeys((workdir, root, root / "src"))))
    finder.take(list(sources))
    reads = sorted(finder.reads - finder.writes - set(finder.modules.values()))
    return StaticTrace(dict.fromkeys(reads, 0), dict.fromkeys(sorted(finder.writes), 0), dict(finder.modules))


def string_paths(sources: Iterable[str], workdir: Path) -> set[str]:
    """Absolute paths of the existing files that constants of the sources name."""
    finder = _Finder(workdir, ())
    finder.take(list(sources))
    return finder.reads | finder.writes


def without_magics(source: str) -> str:
    """Python that parses: IPython's magics, shell lines and help become `pass`; cells of other languages nothing."""
    if _FOREIGN_CELL.match(source):
        return ""
    return "\n".join(_ASSIGNED_MAGIC.sub(r"\1None", _MAGIC.sub(r"\1pass", line)) for line in source.splitlines())


class _Finder:
    def __init__(self, workdir: Path, search: Sequence[Path]) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.modules: dict[str, str] = {}
        self._workdir = workdir
        self._search = search

    def take(self, sources: list[str]) -> None:
        trees = [tree for source in sources if (tree := _parse(source)) is not None]
        names: dict[str, str] = {}
        for tree in trees:
            for node in ast.walk(tree):
                self._take_node(node, names)
        for tree in trees:
            for name in _imported(tree, ""):
                self._take_module(name)

    def _take_node(self, node: ast.AST, names: dict[str, str]) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = _fold(value, names)
                if text is not None:
                    names[name] = text
            case ast.Call() if _writes(node, names):
                self.writes |= {path for one in [*_given(node), *_owner(node)] for path in self._files(one, names)}
            case ast.Constant() | ast.BinOp() | ast.Call() | ast.JoinedStr():
                self.reads |= set(self._files(node, names))

    def _files(self, node: ast.AST, names: Mapping[str, str]) -> Iterator[str]:
        text = _fold(node, names)
        if text is None or not 0 < len(text) <= _LONGEST or "\n" in text or "\0" in text:
            return
        path = os.path.normpath(self._workdir / Path(text).expanduser())
        if Path(path).is_file():
            yield path

    def _take_module(self, name: str) -> None:
        for folder in self._search:
            base = folder.joinpath(*name.split("."))
            for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
                if file.is_file():
                    self._follow(name, file)
                    return

    def _follow(self, name: str, file: Path) -> None:
        if name in self.modules:
            return
        self.modules[name] = str(file)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        source = file.read_text(encoding="utf-8", errors="replace")
        tree = _parse(source)
        if tree is None:
            return
        names: dict[str, str] = {"__file__": str(file)}
        for node in ast.walk(tree):
            self._take_node(node, names)
        for imported in _imported(tree, package):
            self._take_module(imported)


def _parse(source: str) -> ast.Module | None:
    for text in (source, without_magics(source)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            continue
    return None


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Every module that an import may load: `from a import b` may mean a.b."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _prefixes(alias.name)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: len(package.split(".")) - level + 1] if level and package else []
                base = ".".join([*above, *([module] if module else [])])
                yield from _prefixes(base)
                yield from (f"{base}.{alias.name}" if base else alias.name for alias in names)


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)) if name)


def _fold(node: ast.AST | None, names: Mapping[str, str]) -> str | None:  # noqa: PLR0911 - one for each kind of node
    """The text of an expression that is a constant path, else None."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined((left, right), names)
        case ast.Attribute(value=value, attr="parent"):
            inner = _fold(value, names)
            return None if inner is None else os.path.dirname(inner)  # noqa: PTH120
        case ast.Call(func=ast.Attribute(value=value, attr="resolve" | "absolute" | "expanduser"), args=[]):
            return _fold(value, names)
        case ast.Call(func=function, args=args) if args and _name(function) in _JOINERS:
            return _joined(args, names)
        case ast.JoinedStr(values=values):
            parts = [_fold(one.value if isinstance(one, ast.FormattedValue) else one, names) for one in values]
            return None if None in parts else "".join(part or "" for part in parts)
    return None


def _joined(nodes: Sequence[ast.AST], names: Mapping[str, str]) -> str | None:
    parts = [_fold(node, names) for node in nodes]
    return None if None in parts else os.path.join(*(part or "" for part in parts))  # noqa: PTH118 - text stays text


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _owner(call: ast.Call) -> list[ast.expr]:
    """`p` of `p.write_text(…)` and `p.open("w")`."""
    return [call.func.value] if isinstance(call.func, ast.Attribute) else []


def _writes(call: ast.Call, names: Mapping[str, str]) -> bool:
    name = _name(call.func)
    if name != "open":
        return _WRITERS.fullmatch(name) is not None
    modes = [_fold(one, names) or "" for one in _given(call)]
    return any(re.fullmatch(r"[wax][bt+]*", mode) for mode in modes)
