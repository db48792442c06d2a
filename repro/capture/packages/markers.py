"""What environment markers (PEP 508) say on the laptop and on a target: their variables, and which requirements hold.

Pure: the requirements come from METADATA that others read.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from packaging.markers import Environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.capture.model import Interpreter
from repro.capture.packages.choose import MACHINES

Needs = Mapping[str, tuple[Requirement, ...]]
"""What each package requires, by its normalised name."""

Extras = Mapping[str, frozenset[str]]
"""The extras that packages are wanted with, by normalised name."""

_EXTRA = re.compile(r"""extra == ["']([^"']+)["']""")
_SYS_PLATFORMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}


@dataclass(frozen=True, slots=True)
class Edge:
    """One package's requirement of another."""

    parent: str
    requirement: Requirement

    @property
    def name(self) -> str:
        """Normalised name of the required project."""
        return canonicalize_name(self.requirement.name)


def target_environment(python_version: str, implementation: str, target: str) -> Environment:
    """The markers' values on a target; release and version of its kernel are unknown.

    Args:
        python_version: Exact version, such as `3.11.7`.
        implementation: `sys.implementation.name`.
        target: Platform such as `linux/amd64`.
    """
    return _environment(python_version, implementation, "Linux", MACHINES[target])


def laptop_environment(interpreter: Interpreter) -> Environment:
    """The markers' values where the environment was captured; release and version of its kernel are left out."""
    return _environment(interpreter.version, interpreter.implementation, interpreter.system, interpreter.machine)


def _environment(version: str, implementation: str, system: str, machine: str) -> Environment:
    return {
        "implementation_name": implementation,
        "implementation_version": version,
        "os_name": "nt" if system == "Windows" else "posix",
        "platform_machine": machine,
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": version,
        "platform_python_implementation": _IMPLEMENTATIONS.get(implementation, implementation),
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": _SYS_PLATFORMS.get(system, system.lower()),
    }


def parse_requirements(lines: Iterable[str]) -> tuple[Requirement, ...]:
    """Requires-Dist lines as values; those that no installer could read either are left out."""
    return tuple(_parsed(lines))


def _parsed(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue


def holds(requirement: Requirement, environment: Environment, extras: Collection[str] = ()) -> bool:
    """Whether a requirement counts in an environment, for a package that is wanted with these extras."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate(_with_extra(environment, extra)) for extra in ("", *extras))


def _with_extra(environment: Environment, extra: str) -> dict[str, str | AbstractSet[str]]:
    return {**{name: str(value) for name, value in environment.items()}, "extra": extra}


def firm_edges(needs: Needs, environment: Environment, asked: Extras | None = None) -> list[Edge]:
    """The requirements that hold: without an extra, or with one that another such requirement or `asked` names."""
    extras: Extras = {}
    while True:
        edges = [
            Edge(parent, one)
            for parent, requirements in needs.items()
            for one in requirements
            if holds(one, environment, extras.get(parent, frozenset()))
        ]
        found = _named_extras(edges, asked or {})
        if found == extras:
            return edges
        extras = found


def likely_extras(needs: Needs, environment: Environment) -> Extras:
    """Extras that somebody probably asked for, which nothing records.

    Those whose requirements are all installed although nothing else requires every one of them.
    """
    explained = {edge.name for edge in firm_edges(needs, environment)}
    found: dict[str, frozenset[str]] = {}
    for parent, requirements in needs.items():
        by_extra: dict[str, set[str]] = {}
        for one in requirements:
            if not holds(one, environment):
                for extra in _EXTRA.findall(str(one.marker or "")):
                    if holds(one, environment, [extra]):
                        by_extra.setdefault(extra, set()).add(canonicalize_name(one.name))
        likely = {extra for extra, names in by_extra.items() if names <= needs.keys() and names - explained - {parent}}
        if likely:
            found[parent] = frozenset(likely)
    return found


def _named_extras(edges: Iterable[Edge], asked: Extras) -> Extras:
    found = dict(asked)
    for edge in edges:
        if edge.requirement.extras:
            names = frozenset(canonicalize_name(extra) for extra in edge.requirement.extras)
            found[edge.name] = found.get(edge.name, frozenset()) | names
    return found
