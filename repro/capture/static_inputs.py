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

from repro.capture.tracing.fold import beginnings, called, fold, known
from repro.realpaths import expanded

_LONGEST = 1024
_MAGIC = re.compile(r"^(\s*)([%!?].*|\S+\?\??\s*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)([%!].*)$")
_FOREIGN_CELL = re.compile(
    r"\s*%%(bash|sh|script|html|javascript|js|latex|markdown|svg|perl|ruby|R|sql|cython|writefile)\b"
)
_WRITERS = re.compile(r"(to_(?!numpy|dict|list|datetime|numeric)\w+|save\w*|dump|write\w*|export\w*)")


@dataclass(frozen=True, slots=True)
class StaticTrace:
    """What a run's trace would say, as far as it can be told: absolute paths, all at the moment 0."""

    reads: Mapping[str, int] = field(default_factory=dict)
    writes: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)
    entered: Mapping[str, int] = field(default_factory=dict)
    made: Mapping[str, int] = field(default_factory=dict)
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
    writes = sorted(finder.writes)
    return StaticTrace(dict.fromkeys(reads, 0), dict.fromkeys(writes, 0), modules=dict(finder.modules))


def string_paths(sources: Iterable[str], workdir: Path) -> set[str]:
    """Absolute paths of the existing files that constants of the sources name."""
    finder = _Finder(workdir, ())
    finder.take(list(sources))
    return finder.reads | finder.writes


def named_places(
    sources: Iterable[str], root: Path, workdir: Path, environ: Mapping[str, str] | None = None
) -> set[str]:
    """Absolute paths of the existing files and folders that sources, and local modules that they import, name.

    A text that goes on with something unknown, a pattern and a query stand for the folders that they begin with.
    """
    finder = _Finder(workdir, tuple(dict.fromkeys((workdir, root, root / "src"))), environ or {})
    finder.take(list(sources))
    return finder.places


def without_magics(source: str) -> str:
    """Python that parses: IPython's magics, shell lines and help become `pass`; cells of other languages nothing."""
    if _FOREIGN_CELL.match(source):
        return ""
    return "\n".join(_ASSIGNED_MAGIC.sub(r"\1None", _MAGIC.sub(r"\1pass", line)) for line in source.splitlines())


class _Finder:
    def __init__(self, workdir: Path, search: Sequence[Path], environ: Mapping[str, str] | None = None) -> None:
        self.reads: set[str] = set()
        self.places: set[str] = set()
        self.writes: set[str] = set()
        self.modules: dict[str, str] = {}
        self._workdir = workdir
        self._search = search
        self._known = known(workdir, environ or {})

    def take(self, sources: list[str]) -> None:
        trees = [tree for source in sources if (tree := _parse(source)) is not None]
        names: dict[str, str] = dict(self._known)
        for tree in trees:
            for node in ast.walk(tree):
                self._take_node(node, names)
        for tree in trees:
            for name in _imported(tree, ""):
                self._take_module(name)

    def _take_node(self, node: ast.AST, names: dict[str, str]) -> None:
        self.places.update(place for text in beginnings(node, names) for place in self._existing(text))
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = fold(value, names)
                if text is not None:
                    names[name] = text
            case ast.Call() if _writes(node, names):
                self.writes |= {path for one in [*_given(node), *_owner(node)] for path in self._files(one, names)}
            case ast.Constant() | ast.BinOp() | ast.Call() | ast.JoinedStr():
                self.reads |= set(self._files(node, names))

    def _files(self, node: ast.AST, names: Mapping[str, str]) -> Iterator[str]:
        text = fold(node, names)
        if text is None or not 0 < len(text) <= _LONGEST or "\n" in text or "\0" in text:
            return
        path = os.path.normpath(self._workdir / expanded(text))
        if Path(path).is_file():
            yield path

    def _existing(self, text: str) -> Iterator[str]:
        if 0 < len(text) <= _LONGEST and "\n" not in text and "\0" not in text:
            path = os.path.normpath(self._workdir / expanded(text))
            if os.path.exists(path):  # noqa: PTH110 - text stays text
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
        names: dict[str, str] = {**self._known, "__file__": str(file)}
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


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _owner(call: ast.Call) -> list[ast.expr]:
    """`p` of `p.write_text(…)` and `p.open("w")`."""
    return [call.func.value] if isinstance(call.func, ast.Attribute) else []


def _writes(call: ast.Call, names: Mapping[str, str]) -> bool:
    name = called(call.func)
    if name != "open":
        return _WRITERS.fullmatch(name) is not None
    modes = [fold(one, names) or "" for one in _given(call)]
    return any(re.fullmatch(r"[wax][bt+]*", mode) for mode in modes)
