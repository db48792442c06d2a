"""What is installed on the laptop → what belongs on another platform: what drops out there, and what comes in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.additions import Addition, Place, choose_additions
from repro.capture.packages.choose import MACHINES, Chosen, choose
from repro.capture.packages.core_metadata import published_requirements
from repro.capture.packages.index import IndexClient, IndexFile, concurrently
from repro.capture.packages.markers import (
    Edge,
    Extras,
    Needs,
    firm_edges,
    laptop_environment,
    likely_extras,
    parse_requirements,
    target_environment,
)

Releases = Mapping[tuple[str, str], Sequence[IndexFile]]
"""The published files of each name and version."""

_SEEDS = frozenset({"pip", "setuptools", "wheel"})
"""What every environment begins with: nobody's requirement, whoever else happens to name it."""
_SYSTEMS = {"macosx": "macOS", "win": "Windows", "ios": "iOS", "android": "Android"}


@dataclass(frozen=True, slots=True)
class Retargeted:
    """How the environment differs on a target.

    Attributes:
        dropped: Packages that don't belong there: why, as the end of a sentence, by name.
        added: Packages that are needed there and not on the laptop, by name.
    """

    dropped: Mapping[str, str]
    added: tuple[Addition, ...]


def is_foreign(interpreter: Interpreter, target: str) -> bool:
    """Whether markers may say something else on the target than they did on the laptop."""
    return interpreter.system != "Linux" or interpreter.machine != MACHINES[target]


def retarget(
    interpreter: Interpreter,
    target: str,
    tags: Sequence[Tag],
    *,
    releases: Releases,
    client: IndexClient,
    preferred: Mapping[str, str],
    provided: Mapping[str, str] | None = None,
) -> Retargeted:
    """What is different on a platform that isn't the laptop's. No version of an installed package ever changes.

    A package drops out when markers alone brought it here and none does there, or when it exists for other systems
    only and nothing there requires it. One comes in when a marker that didn't hold here holds there.

    Args:
        interpreter: The captured environment.
        target: Such as `linux/amd64`.
        tags: What it can run.
        releases: The published files of what was installed from an index.
        client: The package indexes.
        preferred: Versions to take for additions where they fit.
        provided: Versions of what the target has from elsewhere than an index, such as conda's, by name.

    Raises:
        CaptureError: No versions of the additions fit.
        InfrastructureError: An index can't be reached.
    """
    laptop = _Laptop.of(interpreter)
    there = target_environment(interpreter.version, interpreter.implementation, target)
    moved = {**laptop.needs, **_needs_there(interpreter, target, tags, releases, client)}
    gone = _dropped(laptop, moved, there)
    kept = {name: needs for name, needs in moved.items() if name not in gone}
    gone |= _elsewhere_only(laptop, kept, there, releases)
    kept = {name: needs for name, needs in kept.items() if name not in gone}
    edges = firm_edges(kept, there, laptop.extras)
    missing_here = {(edge.parent, edge.name) for edge in laptop.edges}
    present = {**(provided or {}), **{one.name: one.version for one in interpreter.distributions if one.name in kept}}
    wanted = [edge for edge in edges if edge.name not in present and (edge.parent, edge.name) not in missing_here]
    place = Place(target, there, tags, present, kept, _constraints(edges))
    return Retargeted(gone, choose_additions(wanted, place, client, preferred) if wanted else ())


@dataclass(frozen=True, slots=True)
class _Laptop:
    """What requires what where the environment was captured; `extras` are those that probably were asked for."""

    interpreter: Interpreter
    needs: Needs
    extras: Extras
    edges: list[Edge]

    @classmethod
    def of(cls, interpreter: Interpreter) -> "_Laptop":
        here = laptop_environment(interpreter)
        needs = {one.name: parse_requirements(one.requires) for one in interpreter.distributions}
        extras = likely_extras(needs, here)
        return cls(interpreter, needs, extras, firm_edges(needs, here, extras))

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        return self.interpreter.distributions


def _needs_there(
    interpreter: Interpreter, target: str, tags: Sequence[Tag], releases: Releases, client: IndexClient
) -> dict[str, tuple[Requirement, ...]]:
    """What the wheels for the target require, where those are other wheels than the installed ones."""
    others: dict[str, IndexFile] = {}
    for one in interpreter.distributions:
        choice = choose(one, releases.get((one.name, one.version), ()), target, tags)
        if isinstance(choice, Chosen) and choice.how == "compatible":
            others[one.name] = choice.file
    found = concurrently(lambda file: published_requirements(file, client), list(others.values()))
    return dict(zip(others, found, strict=True))


def _dropped(laptop: _Laptop, moved: Needs, there: Environment) -> dict[str, str]:
    """Packages that only requirements brought here, none of which holds there: why, by name."""
    parents: dict[str, set[str]] = {}
    for edge in laptop.edges:
        parents.setdefault(edge.name, set()).add(edge.parent)
    asked = {one.name for one in laptop.distributions if _asked_for(one)}
    gone: dict[str, str] = {}
    while True:
        left = {name: needs for name, needs in moved.items() if name not in gone}
        held = {edge.name for edge in firm_edges(left, there, laptop.extras) if edge.name != edge.parent}
        more = [name for name in left if name in parents and name not in held | asked]
        if not more:
            return gone
        gone |= {name: f"only {_listed(parents[name])} needed it on {_system(laptop.interpreter)}" for name in more}


def _asked_for(distribution: Distribution) -> bool:
    """Whether somebody did; uv marks everything as requested, so its mark says nothing."""
    return distribution.name in _SEEDS or (distribution.requested and distribution.installer != "uv")


def _elsewhere_only(laptop: _Laptop, kept: Needs, there: Environment, releases: Releases) -> dict[str, str]:
    """Packages that are published for other systems only, and that nothing needs on the target."""
    needed = {edge.name for edge in firm_edges(kept, there, laptop.extras)}
    found = {}
    for one in laptop.distributions:
        systems = _systems(releases.get((one.name, one.version), ()))
        if one.name in kept and one.name not in needed and systems:
            found[one.name] = f"it is published for {_listed(systems)} only"
    return found


def _systems(files: Sequence[IndexFile]) -> set[str]:
    """The systems that wheels are published for when none is for Linux, or for any, and there is no source; else {}."""
    platforms = set()
    for file in files:
        try:
            platforms |= {tag.platform for tag in parse_wheel_filename(file.name)[3]}
        except InvalidWheelFilename:
            return set()
    names = {next((system for start, system in _SYSTEMS.items() if one.startswith(start)), "") for one in platforms}
    return set() if "" in names else names


def _constraints(edges: Sequence[Edge]) -> dict[str, tuple[Requirement, ...]]:
    found: dict[str, tuple[Requirement, ...]] = {}
    for edge in edges:
        found[edge.name] = (*found.get(edge.name, ()), edge.requirement)
    return found


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _system(interpreter: Interpreter) -> str:
    return "macOS" if interpreter.system == "Darwin" else interpreter.system
