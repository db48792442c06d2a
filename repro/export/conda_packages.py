"""What both of conda's lockfiles need of a lock's conda packages: that all can be named, and their order. Pure."""

from collections.abc import Iterable, Mapping

from repro.conda.names import subdir_of
from repro.conda.specs import split_spec
from repro.errors import UsageError
from repro.lock import CondaPackage, Lock

_ORDERED_FIRST = ("python", "pip")
"""Each needs the other; conda puts Python first, and so must who wants its order."""


def exported(lock: Lock, targets: Iterable[str]) -> list[CondaPackage]:
    """The conda packages of some targets, by name and then target, all of which a lockfile of conda's can name.

    Raises:
        UsageError: There are none, the lock has no such target, or packages have no URL or no MD5; all are named.
    """
    wanted = tuple(targets)
    _check_targets(lock, wanted)
    found = [package for package in lock.conda if package.target in wanted]
    if not found:
        raise UsageError(
            "the lock has no conda packages",
            where="repro.lock: conda",
            fix="Export its Python packages: --format requirements or pylock.",
        )
    problems = [problem for package in found for problem in _problems(package)]
    if problems:
        raise UsageError(
            "conda's lockfiles can't name every conda package of this lock",
            where="repro.lock: conda",
            problems=problems,
            fix="Have these in a channel that others reach, install them from there and capture again. "
            "`repro build` needs neither.",
        )
    return sorted(found, key=lambda package: (package.name, subdir_of(package.target)))


def _check_targets(lock: Lock, wanted: Iterable[str]) -> None:
    for target in wanted:
        if target not in lock.targets:
            raise UsageError(
                f"the lock is for {', '.join(lock.targets)}, not for {target}",
                where="repro.lock: targets",
                fix="Name one of them with --platform.",
            )


def _problems(package: CondaPackage) -> Iterable[str]:
    if package.url is None:
        yield f"{package.label} for {package.target} is published nowhere: only this project's objects have it"
    elif package.md5 is None:
        yield f"{package.label} for {package.target} has no MD5, which they ask for: its channel states none"


def dependencies(package: CondaPackage) -> dict[str, str]:
    """What a package needs, as conda-lock has it: names with the versions and builds that will do, by name."""
    found: dict[str, str] = {}
    for spec in package.depends:
        name, condition = split_spec(spec)
        if name:
            both = [one for one in (found.get(name), condition) if one]
            # Conditions on versions hold together; what also names a build can't be said so, and the last one stays.
            found[name] = ",".join(both) if not any(" " in one for one in both) else both[-1]
    return dict(sorted(found.items()))


def installation_order(packages: Iterable[CondaPackage]) -> list[CondaPackage]:
    """The packages of one target, each after those that it needs, as conda itself would sort them.

    Tools that install an explicit file in the order of its lines rely on that. Rounds of what needs nothing that
    hasn't come, each round by name; in a circle, who needs fewest others goes first.
    """
    by_name = {package.name: package for package in packages}
    needs = {name: set(dependencies(package)) - {name} for name, package in by_name.items()}
    first, second = _ORDERED_FIRST
    needs.get(first, set()).discard(second)
    # What is needed and isn't there (virtual packages such as __glibc) takes a round too.
    needs |= {name: set() for name in {one for others in needs.values() for one in others} - needs.keys()}
    return [by_name[name] for name in _sorted(needs) if name in by_name]


def _sorted(needs: Mapping[str, set[str]]) -> list[str]:
    left = {name: set(others) for name, others in needs.items()}
    done: list[str] = []
    while left:
        ready = sorted(name for name, others in left.items() if not others)
        ready = ready or [min(left, key=lambda name: (len(left[name]), name))]
        done += ready
        left = {name: others.difference(ready) for name, others in left.items() if name not in ready}
    return done
