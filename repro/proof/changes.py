"""What differs between two locks' environments, as changes that can be made one by one, and the locks that mix them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from packaging.version import InvalidVersion, Version

from repro import __version__
from repro.errors import UsageError
from repro.lock import ImageOptions, Lock, Package, Runner, render_body
from repro.plan import runner_digest, runner_sources

PLATFORM = "python and base"
"""The one change that is no package: no project is called so (PEP 508)."""

Kind = Literal["changed", "added", "removed", "rebuilt", "platform"]
_RANKS = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the environments of lock A and lock B.

    Attributes:
        name: Normalised project name, or `PLATFORM`.
        kind: "rebuilt" is the same version from other bytes.
        before: Version in A, "" where A hasn't it.
        after: Version in B, "" where B hasn't it.
    """

    name: str
    kind: Kind
    before: str
    after: str

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"{self.name} {self.after} (added)"
            case "removed":
                return f"{self.name} {self.before} (removed)"
            case "rebuilt":
                return f"{self.name} {self.before} (another build)"
            case _:
                return f"{self.name} {self.before} → {self.after}"


def changes_between(one: Lock, other: Lock, target: str) -> tuple[Change, ...]:
    """Every change from one environment to the other, the likeliest to move a number first.

    That is the platform, then large steps before small ones, then by name.
    """
    found = [*_platform(one, other), *_packages(packages_of(one, target), packages_of(other, target), target)]
    return tuple(sorted(found, key=lambda change: (_rank(change), change.name)))


def packages_of(lock: Lock, target: str) -> dict[str, Package]:
    """The packages that a lock installs on a platform, by name."""
    return {package.name: package for package in lock.packages if any(target in file.targets for file in package.files)}


def mixed_lock(one: Lock, other: Lock, chosen: Collection[str], target: str) -> tuple[Lock, bytes]:
    """Lock A with the chosen changes from B, for one platform, and its bytes.

    It predicts nothing and compiles nothing, so that as many layers as can be are shared; its runner is this repro's,
    which has to be the same in all runs that are compared.
    """
    ours, theirs = packages_of(one, target), packages_of(other, target)
    picked = [(theirs if name in chosen else ours).get(name) for name in sorted(ours.keys() | theirs.keys())]
    base = other if PLATFORM in chosen else one
    lock = replace(
        one,
        targets=(target,),
        python=base.python,
        base=base.base,
        system=tuple(package for package in base.system if package.target == target),
        packages=tuple(_only(package, target) for package in picked if package is not None),
        runner=Runner(__version__, runner_digest(runner_sources()), _runner_packages(base, target)),
        image=ImageOptions(encoding=one.image.encoding, bytecode="none"),
        modules={},
        predicted=(),
    )
    return lock, render_body(lock)


def common_target(one: Lock, other: Lock, platform: str) -> str:
    """The platform that both locks are for and the engine runs. Raises UsageError when there is none."""
    for where, lock in (("LOCK_A", one), ("LOCK_B", other)):
        if platform not in lock.targets:
            raise UsageError(f"is for {', '.join(lock.targets)}; the engine runs {platform}", where=where)
    return platform


def beside_packages(one: Lock, other: Lock) -> tuple[str, ...]:
    """What else differs and is never taken from B, for people."""
    ours, theirs = ({file.path: (file.role, file.sha256) for file in lock.files} for lock in (one, other))
    paths = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))
    found = [f"{(ours.get(path) or theirs[path])[0]} {path}" for path in paths]
    if one.environment != other.environment:
        found.append("the environment (threads, locale, time zone, variables)")
    if (one.subject.path, one.subject.args) != (other.subject.path, other.subject.args):
        found.append("the subject")
    return tuple(found)


def _platform(one: Lock, other: Lock) -> Iterator[Change]:
    if (one.python, one.base, one.system) != (other.python, other.base, other.system):
        yield Change(PLATFORM, "platform", _platform_text(one), _platform_text(other))


def _platform_text(lock: Lock) -> str:
    return f"Python {lock.python.version} on {lock.base.reference}"


def _packages(ours: Mapping[str, Package], theirs: Mapping[str, Package], target: str) -> Iterator[Change]:
    for name in sorted(ours.keys() | theirs.keys()):
        before, after = ours.get(name), theirs.get(name)
        versions = before.version if before else "", after.version if after else ""
        if before is None or after is None:
            yield Change(name, "added" if before is None else "removed", *versions)
        elif before.version != after.version:
            yield Change(name, "changed", *versions)
        elif _bytes(before, target) != _bytes(after, target):
            yield Change(name, "rebuilt", *versions)


def _bytes(package: Package, target: str) -> set[object]:
    return {file.sha256 for file in package.files if target in file.targets}


def _only(package: Package, target: str) -> Package:
    files = tuple(replace(file, targets=(target,)) for file in package.files if target in file.targets)
    return replace(package, files=files)


def _runner_packages(lock: Lock, target: str) -> tuple[Package, ...]:
    installed = [package for package in lock.runner.packages if any(target in file.targets for file in package.files)]
    return tuple(_only(package, target) for package in installed)


def _rank(change: Change) -> int:
    """0 for the platform, then by the first part of the release that differs; what was rebuilt last."""
    if change.kind == "platform":
        return 0
    if change.kind == "rebuilt":
        return _RANKS + 1
    before, after = _release(change.before), _release(change.after)
    same = next((place for place, (left, right) in enumerate(zip(before, after, strict=False)) if left != right), None)
    return 1 + min(_RANKS - 1 if same is None else same, _RANKS - 1)


def _release(version: str) -> Sequence[int]:
    try:
        return Version(version).release
    except InvalidVersion:
        return ()
