"""Files that declare packages, compared with what is locked: no environment is needed for that."""

from dataclasses import replace
from pathlib import Path

from repro.capture.drift import Drift
from repro.capture.drift.compare import Comparison
from repro.capture.drift.conda_names import OWNED
from repro.capture.drift.files import Declarations, read_declarations
from repro.capture.drift.model import Variables
from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.markers import laptop_environment
from repro.differ.check.locked_conda import distributions, locked_conda
from repro.differ.check.model import Finding, Item, Level
from repro.differ.tree import Tree
from repro.lock import Lock, Package

_KINDS = frozenset({"version", "build", "source", "missing", "unreadable"})
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_NOWHERE = Path()


def check_declared(tree: Tree, *, agrees: bool) -> Item:
    """Look at requirements, pyproject.toml, locks of other tools.

    Args:
        tree: The project.
        agrees: Whether what is installed was seen to be what is locked: then capture would write the same, and told
            the author of the difference.
    """
    locked = _locked(tree)
    variables: Variables = {name: str(value) for name, value in laptop_environment(locked).items()}
    declarations = read_declarations(tree.root, variables, locked.prefix)
    names = {*(one.name for one in tree.own.packages), *(f"{OWNED}{one.name}" for one in tree.own.conda)}
    used = {name.removeprefix(OWNED) for name in tree.own.modules if name in names}
    conda = locked_conda(tree.own, laptop=tree.environment is not None)
    comparison = Comparison(declarations, locked, used or None, conda or None)
    drifts = [*declarations.unreadable, *comparison.drifts()]
    level: Level = "warning" if agrees else "stale"
    findings = tuple(_finding(one, level) for one in drifts if one.kind in _KINDS)
    return Item("requirements", _looked_at(declarations), findings, skipped=not declarations.cures)


def _looked_at(declarations: Declarations) -> str:
    places = list(declarations.cures)
    return ", ".join(places) if places else "no file declares packages"


def _finding(drift: Drift, level: Level) -> Finding:
    """Drift in the words of a lock: nothing has to be installed here."""
    if drift.kind == "unreadable":
        return Finding("warning", drift.place, drift.place, drift.what, drift.cure)
    told: Level = level if drift.level == "warning" else "note"
    cure = f"{drift.cure}; then capture again"
    return Finding(told, drift.place, drift.package, drift.what.replace("installed", "locked"), cure)


def _locked(tree: Tree) -> Interpreter:
    """The locked packages as if they were installed."""
    pip = [_distribution(one, tree.root) for one in tree.own.packages]
    names = {one.name for one in pip}
    packages = (*pip, *(one for one in distributions(tree.own) if one.name not in names))
    python = tree.own.python
    if tree.environment is not None:
        found = tree.environment.interpreter
        return replace(found, version=python.version, implementation=python.implementation, distributions=packages)
    return Interpreter(
        executable=_NOWHERE,
        base_executable=_NOWHERE,
        prefix=_NOWHERE,
        base_prefix=_NOWHERE,
        implementation=python.implementation,
        version=python.version,
        system="Linux",
        machine=_machine(tree.own),
        platform="",
        soabi="",
        glibc=tree.own.base.glibc,
        paths={},
        sys_path=(),
        distributions=packages,
    )


def _machine(lock: Lock) -> str:
    return _MACHINES[lock.targets[0]]


def _distribution(package: Package, root: Path) -> Distribution:
    editable = package.origin == "editable"
    commit = package.source.rpartition("@")[2].partition("#")[0] if package.origin == "vcs" else ""
    return Distribution(
        name=package.name,
        version=package.version,
        location=_NOWHERE,
        metadata=_NOWHERE,
        editable=editable,
        source_tree=root / package.source if editable else None,
        direct_url={"vcs_info": {"commit_id": commit}} if commit else None,
        requested=package.requested,
    )
