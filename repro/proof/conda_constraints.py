"""Which changes of conda packages can't be made without others, by the match specifications that packages depend on.

What a specification says of channels and of properties in brackets is passed over: a lock says itself where its
packages come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from repro.capture.drift.versions import conda_holds
from repro.conda.specs import required_name
from repro.lock import CondaPackage, Lock
from repro.proof.changes import CONDA, PLATFORM, Change, change_of, conda_of

_BUILD = 3


def conda_implied(changes: Sequence[Change], one: Lock, other: Lock, target: str) -> Iterator[tuple[str, str]]:
    """(a, b): a can't be made without b. A dependency that an environment breaks itself binds nobody."""
    names = {change.name for change in changes}
    environments = conda_of(one, target), conda_of(other, target)
    yield from _required(environments, names)
    yield from _both(names)
    if (one.python.supply == "conda") != (other.python.supply == "conda"):
        yield from ((name, PLATFORM) for name in names if name.startswith(CONDA))
        yield from ((PLATFORM, name) for name in names if name.startswith(CONDA))


def _required(
    environments: tuple[Mapping[str, CondaPackage], Mapping[str, CondaPackage]], names: set[str]
) -> Iterator[tuple[str, str]]:
    for ours, theirs, is_new in ((*environments, False), (*environments[::-1], True)):
        for name, package in ours.items():
            for spec in package.depends:
                other = change_of(required_name(spec))
                if name == other or not {name, other} <= names:
                    continue
                if _meets(spec, ours.get(other)) and not _meets(spec, theirs.get(other)):
                    yield (name, other) if is_new else (other, name)


def _both(names: set[str]) -> Iterator[tuple[str, str]]:
    """A conda package and the wheel that was installed over it: each lock leaves out what it has of the other's."""
    for name in sorted(names):
        if f"{CONDA}{name}" in names:
            yield name, f"{CONDA}{name}"
            yield f"{CONDA}{name}", name


def _meets(spec: str, package: CondaPackage | None) -> bool:
    """Whether a package is what a match specification asks for: `name`, `name version` or `name version build`."""
    if package is None:
        return False
    parts = spec.partition("[")[0].split()
    holds = len(parts) == 1 or conda_holds(parts[1], package.version)
    return holds and (len(parts) < _BUILD or fnmatchcase(package.build, parts[_BUILD - 1]))
