"""Packages that a run imported and no file declares: they are there by accident, and may be gone tomorrow."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.capture.drift.model import Declared, Drift
from repro.capture.model import Interpreter
from repro.capture.static_inputs import without_magics

_MACHINERY = {"ipykernel", "jupyter", "jupyterlab", "notebook", "ipython", "pip", "setuptools", "wheel"}
"""What runs notebooks and installs packages: nobody declares it, and its own requirements come with it."""


def undeclared(
    declared: Collection[Declared],
    imported: Mapping[str, Collection[str]],
    *,
    requires: Mapping[str, Collection[str]],
    sources: Iterable[str],
    own: Collection[str],
) -> Iterator[Drift]:
    """Each such package, sorted by name.

    Args:
        declared: What the project's files say.
        imported: Modules that the run imported, by package.
        requires: What each installed package may require.
        sources: Code cells, scripts and modules of the project.
        own: Names of the packages that the project itself is installed as.
    """
    named = {one.name for one in declared}
    places = ", ".join(dict.fromkeys(one.place for one in declared))
    brought = _closure({*named, *own}, requires)
    by_hand = {one.name for one in declared if one.direct} | {one for name in own for one in requires.get(name, ())}
    direct = _directly(imported, sources)
    for name in sorted(imported.keys() - own):
        if name not in brought | _closure(_MACHINERY, requires):
            what = f"{name} is imported, but no file declares it: it works by accident"
            yield Drift("undeclared", "warning", places, name, what, "declare it", name)
        elif by_hand and name in direct - by_hand - _MACHINERY:
            what = f"{name} is imported by the project itself, but only other packages bring it"
            yield Drift("indirect", "note", places, name, what, "declare it", name)


def requirements_of(interpreter: Interpreter) -> dict[str, set[str]]:
    """What each installed package may require: nothing records which extras somebody asked for."""
    return {one.name: set(_named(one.requires)) for one in interpreter.distributions}


def _named(requirements: Iterable[str]) -> Iterator[str]:
    for line in requirements:
        try:
            yield canonicalize_name(Requirement(line).name)
        except InvalidRequirement:
            continue


def _closure(roots: Iterable[str], requires: Mapping[str, Collection[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [canonicalize_name(root) for root in roots]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += map(canonicalize_name, requires.get(name, ()))
    return {str(name) for name in reached}


def _directly(imported: Mapping[str, Collection[str]], sources: Iterable[str]) -> set[str]:
    """Packages with a module that the project's own code names in an import."""
    names = {name for source in sources for name in _names(source)}
    return {package for package, modules in imported.items() if not names.isdisjoint(modules)}


def _names(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
