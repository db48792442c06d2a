"""What differs between two locks' environments, as changes that can be made one by one, and the locks that mix them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from packaging.version import InvalidVersion, Version

from repro import __version__
from repro.conda.blas import concerns_blas
from repro.conda.records import PYTHON
from repro.errors import UsageError
from repro.lock import CondaPackage, ImageOptions, Lock, Package, Runner, render_body
from repro.plan import runner_digest, runner_sources

PLATFORM = "python and base"
"""The one change that is no package: no project is called so (PEP 508)."""

CONDA = "conda:"
"""What the changes of conda packages begin with: a wheel may have the same name."""

Kind = Literal["changed", "added", "removed", "rebuilt", "platform"]
_RANKS = 4
_P = TypeVar("_P", Package, CondaPackage)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the environments of lock A and lock B.

    Attributes:
        name: Normalised project name, `conda:NAME` of a conda package, or `PLATFORM`.
        kind: "rebuilt" is the same version, of a conda package the same build, from other bytes.
        before: Version in A, of a conda package with its build; "" where A hasn't it.
        after: The same in B.
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
                return f"{self.name} {self.before} (the same, with other files)"
            case _:
                return f"{self.name} {self.before} → {self.after}"


def changes_between(one: Lock, other: Lock, target: str) -> tuple[Change, ...]:
    """Every change from one environment to the other, the likeliest to move a number first.

    That is the platform, then large steps before small ones, then by name.
    """
    found = [
        *_platform(one, other, target),
        *_conda(conda_of(one, target), conda_of(other, target)),
        *_packages(packages_of(one, target), packages_of(other, target), target),
    ]
    return tuple(sorted(found, key=lambda change: (_rank(change), change.name)))


def packages_of(lock: Lock, target: str) -> dict[str, Package]:
    """The packages that a lock installs on a platform, by name."""
    return {package.name: package for package in lock.packages if any(target in file.targets for file in package.files)}


def conda_of(lock: Lock, target: str) -> dict[str, CondaPackage]:
    """The conda packages that a lock installs on a platform, by the names of their changes."""
    return {change_of(package.name): package for package in lock.conda if package.target == target}


def change_of(name: str) -> str:
    """The name of the change of a conda package. The interpreter comes with the platform."""
    return PLATFORM if name == PYTHON else f"{CONDA}{name}"


def mixed_lock(one: Lock, other: Lock, chosen: Collection[str], target: str) -> tuple[Lock, bytes]:
    """Lock A with the chosen changes from B, for one platform, and its bytes.

    It predicts nothing and compiles nothing, so that as many layers as can be are shared; its runner is this repro's,
    which has to be the same in all runs that are compared.
    """
    picked = _picked(packages_of(one, target), packages_of(other, target), chosen)
    conda = _picked(conda_of(one, target), conda_of(other, target), chosen)
    base = other if PLATFORM in chosen else one
    lock = replace(
        one,
        targets=(target,),
        python=base.python,
        base=base.base,
        system=tuple(package for package in base.system if package.target == target),
        packages=tuple(_only(package, target) for package in picked),
        conda=tuple(sorted(conda, key=lambda package: package.name)),
        runner=Runner(__version__, runner_digest(runner_sources()), _runner_packages(base, target)),
        image=ImageOptions(encoding=one.image.encoding, bytecode="none"),
        modules={},
        predicted=(),
    )
    return lock, render_body(lock)


def _picked(ours: Mapping[str, _P], theirs: Mapping[str, _P], chosen: Collection[str]) -> list[_P]:
    names = sorted(ours.keys() | theirs.keys())
    found = ((theirs if name in chosen else ours).get(name) for name in names)
    return [one for one in found if one is not None]


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


def _platform(one: Lock, other: Lock, target: str) -> Iterator[Change]:
    ours, theirs = (_linked(conda_of(lock, target).get(PLATFORM)) for lock in (one, other))
    if (one.python, one.base, one.system, ours) != (other.python, other.base, other.system, theirs):
        yield Change(PLATFORM, "platform", _platform_text(one), _platform_text(other))


def _platform_text(lock: Lock) -> str:
    return f"Python {lock.python.version} on {lock.base.reference}"


def _conda(ours: Mapping[str, CondaPackage], theirs: Mapping[str, CondaPackage]) -> Iterator[Change]:
    for name in sorted((ours.keys() | theirs.keys()) - {PLATFORM}):
        before, after = ours.get(name), theirs.get(name)
        releases = _conda_release(before), _conda_release(after)
        if before is None or after is None:
            yield Change(name, "added" if before is None else "removed", *releases)
        elif releases[0] != releases[1]:
            yield Change(name, "changed", *releases)
        elif _linked(before) != _linked(after):
            yield Change(name, "rebuilt", *releases)


def _conda_release(package: CondaPackage | None) -> str:
    return "" if package is None else f"{package.version} {package.build}"


def _linked(package: CondaPackage | None) -> tuple[object, ...]:
    """Everything that decides what of it is in an image."""
    if package is None:
        return ()
    return package.version, package.build, package.sha256, package.without, package.patched, package.scripts


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
    """0 for the platform, then BLAS, then by the first part of the release that differs; what was rebuilt last."""
    if change.kind == "platform":
        return 0
    if _is_blas(change):
        return 1
    if change.kind == "rebuilt":
        return _RANKS + 2
    before, after = _release(change.before), _release(change.after)
    same = next((place for place, (left, right) in enumerate(zip(before, after, strict=False)) if left != right), None)
    return 2 + min(_RANKS - 1 if same is None else same, _RANKS - 1)


def _is_blas(change: Change) -> bool:
    name = change.name.removeprefix(CONDA)
    return name != change.name and concerns_blas(name, f"{change.before} {change.after}".replace(" ", "_"))


def _release(version: str) -> Sequence[int]:
    """Of a conda package without its build."""
    try:
        return Version(version.partition(" ")[0]).release
    except InvalidVersion:
        return ()
