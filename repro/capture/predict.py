"""What the lock's images need and will be: system packages for what wheels lack, then every digest, to be proved."""

import tarfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from repro_oci.image_python import CannotCompileError, can_compile

from repro.capture.config import SystemConfig
from repro.capture.needs import Need, WheelAtHand, missing_libraries
from repro.capture.system import lock_system
from repro.debian.base import BaseView
from repro.engines import DockerEngine
from repro.http import Session
from repro.lock import ImageOptions, Lock, PredictedImage, parse_lock, render_body
from repro.oci.image import Image
from repro.plan import Assembler, BuildPlan, Wheel, layout, make_plan, runner_sources
from repro.plan.supplies import LockedSupplies
from repro.progress import Progress
from repro.registry import Registry
from repro.store import ObjectStore, project_store
from repro.store.cache import cache_directory
from repro.transfer.base import base_facts, find_base
from repro.transfer.view import base_view


def image_options(chosen: ImageOptions, targets: tuple[str, ...], progress: Progress) -> ImageOptions:
    """What was chosen, with bytecode only where this machine can compile it: then every image can be predicted."""
    able = tuple(target for target in targets if can_compile(target))
    if chosen.bytecode == "none" or able == targets:
        return chosen
    others = ", ".join(sorted(set(targets) - set(able)))
    progress.note(f"Images for {others} get no compiled modules: their Python doesn't run on this machine")
    return replace(chosen, compiled=able) if able else replace(chosen, bytecode="none")


@dataclass(frozen=True, slots=True)
class Predictor:
    """What predicting takes.

    Attributes:
        assembler: What makes the images.
        base: A local place of the base, or None (`repro.transfer.base.find_base`).
        cache: Downloads.
        sessions: Gives each thread a session.
        engine: The engine, where one answers.
        registry: The client for registries.
        progress: Told what happens.
        provided: Sonames of libraries of conda's that wheels find.
    """

    assembler: Assembler
    base: str | None
    cache: ObjectStore
    sessions: Callable[[], Session]
    engine: Callable[[], DockerEngine | None]
    registry: Registry
    progress: Progress
    provided: Collection[str] = ()

    def predict(self, lock: Lock, root: Path) -> Lock:
        """The lock of the project at `root` with what each of its images will be.

        A target whose bytecode can't be compiled on this machine is left out, with a word about it: builds of it have
        nothing to prove then, but give the same bytes all the same.

        Raises:
            IntegrityError: A download isn't what was locked, or packages overwrite each other's files.
            InfrastructureError: The base or a file can't be had.
        """
        body = render_body(lock)
        as_read = parse_lock(body)  # in the order in which builds will see everything
        found = [self._image(_Target(as_read, body, root, target)) for target in lock.targets]
        return replace(lock, predicted=tuple(image for image in found if image is not None))

    def with_system(self, lock: Lock, root: Path, asked: SystemConfig) -> Lock:
        """The lock with the Debian packages that were asked for, and those that imported modules need from the system.

        Raises:
            CaptureError: Packages can't be chosen, or would run scripts that nobody knows.
            UsageError: The base says nowhere where its packages come from.
            IntegrityError: Something that was downloaded isn't what was promised.
            InfrastructureError: The base, a wheel or a package can't be had.
        """
        body = render_body(lock)
        targets = {target: _Target(lock, body, root, target) for target in lock.targets}
        directory = cache_directory()
        views = {target: base_view(base_facts(self._base(one.plan), directory)) for target, one in targets.items()}
        packages = lock_system(
            asked.apt,
            {target: self._needs(one, views[target], directory) for target, one in targets.items()},
            views,
            sessions=self.sessions,
            cache=self.cache,
            progress=self.progress,
            skip_scripts=asked.skip_scripts,
        )
        return replace(lock, system=packages)

    def _needs(self, one: "_Target", view: BaseView, directory: Path) -> tuple[Need, ...]:
        wheels = [
            item
            for layer in one.plan.layers
            for item in layer.items
            if isinstance(item, Wheel) and item.prefix == layout.ENVIRONMENT
        ]
        files = self._supplies(one).bring([wheel.file.sha256 for wheel in wheels])
        return missing_libraries(
            [WheelAtHand(wheel.package, wheel.file.sha256, files[wheel.file.sha256]) for wheel in wheels],
            view,
            one.target,
            imported=one.lock.modules,
            provided={*self.provided, *self._packed_libraries(one)},
            cache=directory,
        )

    def _packed_libraries(self, one: "_Target") -> set[str]:
        """File names of what the packed interpreter brings along."""
        packed = one.lock.python.packed
        if packed is None:
            return set()
        path = self._supplies(one).bring([packed.sha256])[packed.sha256]
        with tarfile.open(path, "r:") as archive:
            return {name.rpartition("/")[2] for name in archive.getnames()}

    def _image(self, one: "_Target") -> PredictedImage | None:
        try:
            supplies = self._supplies(one)
            return self.assembler.predict(one.plan, self._base(one.plan), supplies, progress=self.progress)
        except CannotCompileError as error:
            self.progress.warn(f"the image for {one.target} is not predicted: {error}")
            return None

    def _supplies(self, one: "_Target") -> LockedSupplies:
        return LockedSupplies(
            one.plan,
            {file.sha256: one.root / file.path for file in one.lock.files},
            objects=project_store(one.root),
            cache=self.cache,
            sessions=self.sessions,
            progress=self.progress,
        )

    def _base(self, plan: BuildPlan) -> Image:
        return find_base(
            plan.base,
            plan.target,
            given=self.base,
            cache=self.cache,
            engine=self.engine,
            registry=self.registry,
            progress=self.progress,
        )


class _Target:
    """One of a lock's targets: its plan as far as the lock is complete."""

    def __init__(self, lock: Lock, body: bytes, root: Path, target: str) -> None:
        self.lock = lock
        self.root = root
        self.target = target
        self.plan = make_plan(lock, body, runner_sources(), target)
