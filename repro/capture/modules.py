"""Which modules of each package a run imported, as its trace tells: those that get bytecode in the image."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from repro.capture.model import Interpreter
from repro.capture.ownership import owned_files
from repro.plan.layers import LIBRARY
from repro.plan.module_files import chosen_sources, module_name
from repro.runner.trace import Trace


def imported_modules(trace: Trace, interpreter: Interpreter, *, library: bool) -> dict[str, tuple[str, ...]]:
    """Dotted names of the modules that any process of a run imported from source, by package, both sorted.

    Sources that were opened count as well as modules that were there in the end: a worker process that gets killed
    doesn't tell its modules, and what was imported before the trace began was never seen opened. Names are those of
    files, so that it doesn't matter under which other names programs enter modules into `sys.modules`.

    Args:
        trace: What the run did.
        interpreter: Whose packages count.
        library: Whether the standard library counts, as `repro.plan.layers.LIBRARY`: where Python itself is packed.
    """
    files = {path for path in (*trace.modules.values(), *trace.reads) if path.endswith(".py")}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in owned_files(files, interpreter):
        if not one.distribution.editable:  # such a list has what points to the source tree, which no wheel holds
            found[one.distribution.name].add(module_name(one.path))
    for name, module in _editable(trace, interpreter):
        found[name].add(module)
    if library:
        found[LIBRARY] |= set(_library(files, interpreter))
    return {name: tuple(sorted(modules)) for name, modules in sorted(found.items()) if modules}


def _editable(trace: Trace, interpreter: Interpreter) -> Iterator[tuple[str, str]]:
    """Modules imported from source trees: by the names they have there, since trees are laid out in many ways."""
    trees = [
        (one.name, _real(one.source_tree)) for one in interpreter.distributions if one.editable and one.source_tree
    ]
    for module, file in trace.modules.items():
        place = _real(file) if trees and file.endswith(".py") else ""
        for name, tree in trees:
            if place.startswith(tree + os.sep) and not module.startswith("__"):
                yield name, module


def _library(files: Iterable[str], interpreter: Interpreter) -> Iterator[str]:
    root = _real(interpreter.paths.get("stdlib", ""))
    places = (_real(os.path.dirname(file)) + os.sep + os.path.basename(file) for file in files)  # noqa: PTH119, PTH120 - thousands
    for path in chosen_sources((place.replace(os.sep, "/") for place in places), [root.replace(os.sep, "/")], None):
        yield module_name(path[len(root) + 1 :])


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
