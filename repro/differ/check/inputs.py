"""Files that the subject and its modules name by now and that the lock doesn't have, told from the sources alone.

A file that locked sources always named was not read by the captured run, so only what is new counts.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.capture.roles import matches
from repro.capture.snapshot import Ignored, take_snapshot
from repro.capture.static_inputs import StaticTrace, static_inputs, without_magics
from repro.differ.cells import source_texts
from repro.differ.check.model import Finding, Item
from repro.differ.contents import Contents
from repro.differ.tree import Tree
from repro.lock import LockedFile

_CODE = frozenset({"code", "notebook"})
_CURE = "capture again, or exclude it in repro.toml, [files] exclude"


def check_inputs(tree: Tree, locked: Contents) -> Item:
    """Look at what sources name.

    Args:
        tree: The project.
        locked: Gives the contents that files had when they were locked.
    """
    sources = _sources(tree, locked)
    trace = static_inputs(sources.now, tree.root, sources.workdir)
    findings = (*_named(tree, trace, sources), *_shadowing(tree, trace, sources), *_included(tree))
    return Item("inputs", "files and modules that its sources name", findings)


@dataclass(frozen=True, slots=True)
class _Sources:
    """Texts of code.

    Attributes:
        now: The subject's cells, or the script.
        before: The same, and modules that changed, as they were locked; None where that is not at hand.
        modules: Locked modules, as they are.
        workdir: Where the subject runs.
        changed: Whether any of it changed.
    """

    now: list[str]
    before: list[str] | None
    modules: list[str]
    workdir: Path
    changed: bool


def _sources(tree: Tree, locked: Contents) -> _Sources:
    current = {file.path: file.sha256 for file in tree.state.lock.files}
    code = [file for file in tree.own.files if file.role in _CODE]
    subject = tree.own.subject.path
    changed = [file for file in code if current.get(file.path) != file.sha256]
    return _Sources(
        now=_texts(tree.root, subject),
        before=_before([file for file in code if file in changed or file.path == subject], locked),
        modules=[text for file in code if file.path.endswith(".py") for text in _texts(tree.root, file.path)],
        workdir=(tree.root / subject).parent,
        changed=bool(changed),
    )


def _texts(root: Path, path: str) -> list[str]:
    try:
        return source_texts(path, (root / path).read_bytes())
    except OSError:
        return []


def _before(files: list[LockedFile], locked: Contents) -> list[str] | None:
    texts: list[str] = []
    for file in files:
        content = locked(file)
        if content is None:
            return None
        texts += source_texts(file.path, content)
    return texts


def _named(tree: Tree, trace: StaticTrace, sources: _Sources) -> Iterator[Finding]:
    """What changed sources name that they didn't name before."""
    if not sources.changed:
        return
    before: set[str] = set()
    if sources.before is not None:
        old = static_inputs(sources.before, tree.root, sources.workdir)
        before = {*old.reads, *old.modules.values()}
    for path in sorted({*trace.reads, *trace.modules.values()} - before):
        inside = _unlocked(tree, path)
        if inside and sources.before is not None:
            yield Finding("stale", inside, inside, "the changed sources name it, and the lock doesn't have it", _CURE)
        elif inside:
            what = "the sources name it and the lock doesn't have it; whether they did before can't be told"
            yield Finding("warning", inside, inside, what, _CURE)


def _shadowing(tree: Tree, trace: StaticTrace, sources: _Sources) -> Iterator[Finding]:
    """Modules beside the subject that it imports first thing: had they been there, the run would have read them."""
    imported = {name for source in (*sources.now, *sources.modules) for name in _imported_always(source)}
    locked = {name for names in tree.own.modules.values() for name in names}
    for name, path in sorted(trace.modules.items()):
        inside = _unlocked(tree, path) if name in imported and Path(path).is_relative_to(sources.workdir) else ""
        if inside and not sources.changed:
            instead = f"instead of the module {name} that was captured" if name in locked else "which was not there"
            yield Finding("stale", inside, inside, f"a run would import it now as {name}, {instead}", _CURE)


def _imported_always(source: str) -> Iterator[str]:
    """Modules that importing a source, or running a cell, imports whatever happens."""
    try:
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        for one in node.body if isinstance(node, ast.Try | ast.With) else [node]:
            match one:
                case ast.Import(names=names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module=str(module), level=0):
                    yield module


def _included(tree: Tree) -> Iterator[Finding]:
    """Files that the settings want in the lock whether they are read or not."""
    rules = tree.config.files
    if not rules.include:
        return
    known = {*(file.path for file in tree.own.files), *tree.own.outputs}
    for path in sorted(take_snapshot(tree.root).files):
        if path not in known and matches(path, rules.include) and not matches(path, rules.exclude):
            yield Finding("stale", path, path, "[files] include names it, and the lock doesn't have it")


def _unlocked(tree: Tree, path: str) -> str:
    """The path inside the project of a file that belongs into the lock and isn't there; else ""."""
    place = Path(path)
    if not place.is_relative_to(tree.root):
        return ""
    inside = place.relative_to(tree.root).as_posix()
    known = {*(file.path for file in tree.own.files), *tree.own.outputs}
    if inside in known or Ignored(tree.root).has(inside) or matches(inside, tree.config.files.exclude):
        return ""
    return inside
