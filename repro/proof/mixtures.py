"""Images of mixed locks: lock A's project with some of lock B's packages, assembled here; layers are shared."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from repro.build import Sources, check_project, find_builder
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, Package, PackageFile
from repro.oci.image import Image
from repro.plan import Artifacts, Assembler, BuildPlan, make_plan, runner_sources
from repro.plan.supplies import LockedSupplies
from repro.progress import Progress, Silent
from repro.proof.changes import change_of, mixed_lock
from repro.proof.constraints import Installed, pythons_of, read_requirements
from repro.proof.smallest import Names
from repro.store import project_store
from repro.transfer.base import find_base

_BUILDER = "oci"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two locks: its project's directory, itself, and its body."""

    root: Path
    lock: Lock
    body: bytes


class CannotMixError(Exception):
    """No image can be made of a mixture; the text says why."""


@dataclass
class Mixtures:
    """Makes the images (not for several threads at once).

    Attributes:
        one: Lock A, whose code and data every image has.
        other: Lock B, whose packages are tried.
        target: Platform.
        sources: Where files and bases come from.
        progress: Told of downloads.
    """

    one: Side
    other: Side
    target: str
    sources: Sources
    progress: Progress
    _bases: dict[Digest, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check lock A's files. Raises IntegrityError when the project isn't what that lock says."""
        side = self.one
        profiles = side.lock.evidence.profiles
        self._files = check_project(side.lock.files, side.root, project_store(side.root), self.progress, profiles)
        self._assembler = _assembler()

    def image(self, names: Names) -> tuple[Image, Digest]:
        """The image with these changes, and the digest of its lock.

        Raises:
            CannotMixError: These packages can't be installed together.
            InfrastructureError: A file or the base can't be had.
        """
        plan, digest = self._plan(names)
        supplies = _EitherStore(self._supplies(plan, self.one), self._supplies(plan, self.other), self.one, self.other)
        try:
            return self._assembler.assemble(plan, self._base(plan), supplies, progress=Silent()), digest
        except IntegrityError as error:
            raise CannotMixError(error.problems[0] if error.problems else error.what) from error

    def installed(self, names: Names) -> dict[str, Installed]:
        """What an environment with these changes has installed; wheels are fetched for what they need."""
        lock, _ = mixed_lock(self.one.lock, self.other.lock, names, self.target)
        plan, _ = self._plan(names)
        supplies = _EitherStore(self._supplies(plan, self.one), self._supplies(plan, self.other), self.one, self.other)
        wheels = {package.name: _wheel(package) for package in lock.packages}
        files = supplies.bring([wheel.sha256 for wheel in wheels.values()])
        found = {
            package.name: Installed(
                package.version,
                read_requirements(files[wheels[package.name].sha256], lock.python.version),
                pythons_of(wheels[package.name].name),
            )
            for package in lock.packages
        }
        return {**{change_of(one.name): Installed(one.version) for one in lock.conda}, **found}

    def _plan(self, names: Names) -> tuple[BuildPlan, Digest]:
        lock, body = mixed_lock(self.one.lock, self.other.lock, names, self.target)
        try:
            return make_plan(lock, body, runner_sources(), self.target), Digest.of(body)
        except UsageError as error:
            raise CannotMixError(error.what) from error

    def _supplies(self, plan: BuildPlan, side: Side) -> LockedSupplies:
        return LockedSupplies(
            plan,
            self._files,
            objects=project_store(side.root),
            cache=self.sources.cache,
            sessions=self.sources.sessions,
            progress=self.progress,
        )

    def _base(self, plan: BuildPlan) -> Image:
        if plan.base.digest not in self._bases:
            self._bases[plan.base.digest] = find_base(
                plan.base,
                plan.target,
                given=self.sources.base,
                cache=self.sources.cache,
                engine=self.sources.engine_or_none,
                registry=self.sources.registry(),
                progress=self.progress,
            )
        return self._bases[plan.base.digest]


class _EitherStore:
    """Supplies of a plan whose objects are in the stores of two projects (`repro.plan.Supplies`)."""

    def __init__(self, ours: LockedSupplies, theirs: LockedSupplies, one: Side, other: Side) -> None:
        self._ours, self._theirs = ours, theirs
        self._one, self._other = project_store(one.root), project_store(other.root)

    def bring(self, digests: Collection[Digest]) -> Artifacts:
        """A local file for each digest."""
        elsewhere = [one for one in digests if self._other.has(one) and not self._one.has(one)]
        here = [one for one in digests if one not in elsewhere]
        return {**self._ours.bring(here), **self._theirs.bring(elsewhere)}


def _wheel(package: Package) -> PackageFile:
    return package.files[0]  # a mixed lock is for one platform


def _assembler() -> Assembler:
    builder = find_builder(_BUILDER)
    if not isinstance(builder, Assembler):
        raise UsageError(f"the builder {_BUILDER!r} assembles no images", fix="Reinstall repro.")
    return builder
