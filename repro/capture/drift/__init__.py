"""Files that declare packages, compared with what is installed. Only told: nothing is resolved, nothing fails."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from repro.capture.drift.compare import Comparison
from repro.capture.drift.conda_names import by_project, requirements_of_conda, unreplaced, with_projects
from repro.capture.drift.files import read_declarations
from repro.capture.drift.model import Drift, Variables
from repro.capture.drift.undeclared import requirements_of, undeclared
from repro.capture.model import Interpreter
from repro.capture.packages.markers import laptop_environment
from repro.conda.environment import is_conda, read_prefix
from repro.conda.records import Record
from repro.errors import CaptureError
from repro.words import few

__all__ = ["Drift", "drift", "drift_warnings"]

_MOST = 6
_INTRODUCTIONS = {
    "version": "another version is installed than it declares",
    "build": "another build is installed than it declares",
    "source": "installed from elsewhere than it declares",
    "missing": "declared but not installed",
    "undeclared": "the run imported what no file declares, so that it works by accident",
    "unreadable": "not everything in it can be read",
    "indirect": "imported by the project itself, though only other packages bring it",
}


def drift(
    root: Path, interpreter: Interpreter, imported: Mapping[str, Collection[str]], sources: Iterable[str] = ()
) -> tuple[Drift, ...]:
    """How what is installed differs from what the files in a project's root declare.

    Args:
        root: Project root, absolute, links resolved.
        interpreter: The captured environment.
        imported: Modules that the run imported, by package (`repro.capture.modules`); empty when nothing was run.
        sources: The text of code cells, scripts and local modules, to tell what is imported directly.
    """
    environment = laptop_environment(interpreter)
    variables: Variables = {name: str(value) for name, value in environment.items()}
    declarations = read_declarations(root, variables, interpreter.prefix)
    conda = _conda(interpreter) if declarations.declared else {}
    installed = {one.name for one in interpreter.distributions}
    used = {name: modules for name, modules in by_project(imported, conda).items() if name in installed}
    there = unreplaced(conda, interpreter.distributions) or None
    found = [*declarations.unreadable, *Comparison(declarations, interpreter, used or None, there).drifts()]
    if declarations.declared and used:
        own = {one.name for one in interpreter.distributions if one.source_tree and one.source_tree.resolve() == root}
        requires = requirements_of(interpreter)
        for name, needs in requirements_of_conda(conda.values()).items():
            requires.setdefault(name, set()).update(needs)
        declared = with_projects(declarations.declared, conda)
        found += undeclared(declared, used, requires=requires, sources=sources, own=own)
    return tuple(found)


def _conda(interpreter: Interpreter) -> Mapping[str, Record]:
    """The environment's conda packages by name; damaged records are for whoever locks them to refuse."""
    if interpreter.conda is not None:
        return interpreter.conda.named
    try:
        return read_prefix(interpreter.prefix).named if is_conda(interpreter.prefix) else {}
    except CaptureError:
        return {}


def drift_warnings(drifts: Iterable[Drift]) -> tuple[str, ...]:
    """One sentence for each file and kind of difference, as far as they are warnings."""
    groups: dict[tuple[str, str], list[Drift]] = {}
    for one in drifts:
        if one.level == "warning":
            groups.setdefault((one.place, one.kind), []).append(one)
    return tuple(map(_line, groups.values()))


def _line(group: list[Drift]) -> str:
    first = group[0]
    if len(group) == 1:
        return str(first)
    names = few([one.brief for one in group], _MOST)
    return f"{first.place}: {_INTRODUCTIONS[first.kind]}: {names}; {first.cure}"
