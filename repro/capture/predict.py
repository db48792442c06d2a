"""What the lock's images will be, bit for bit: they are assembled here and stated, for every build to prove."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from repro_oci.image_python import CannotCompileError

from repro.engines import DockerEngine
from repro.http import Session
from repro.lock import Lock, PredictedImage, render_body
from repro.plan import Assembler, make_plan, runner_sources
from repro.plan.supplies import LockedSupplies
from repro.progress import Progress
from repro.registry import Registry
from repro.store import ObjectStore, project_store
from repro.transfer.base import find_base


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
    """

    assembler: Assembler
    base: str | None
    cache: ObjectStore
    sessions: Callable[[], Session]
    engine: Callable[[], DockerEngine | None]
    registry: Registry
    progress: Progress

    def predict(self, lock: Lock, root: Path) -> Lock:
        """The lock of the project at `root` with what each of its images will be.

        A target whose bytecode can't be compiled on this machine is left out, with a word about it: builds of it have
        nothing to prove then, but give the same bytes all the same.

        Raises:
            IntegrityError: A download isn't what was locked, or packages overwrite each other's files.
            InfrastructureError: The base or a file can't be had.
        """
        found = [self._image(lock, root, target) for target in lock.targets]
        return replace(lock, predicted=tuple(image for image in found if image is not None))

    def _image(self, lock: Lock, root: Path, target: str) -> PredictedImage | None:
        plan = make_plan(lock, render_body(lock), runner_sources(), target)
        supplies = LockedSupplies(
            plan,
            {file.sha256: root / file.path for file in lock.files},
            objects=project_store(root),
            cache=self.cache,
            sessions=self.sessions,
            progress=self.progress,
        )
        base = find_base(
            lock.base,
            target,
            given=self.base,
            cache=self.cache,
            engine=self.engine,
            registry=self.registry,
            progress=self.progress,
        )
        try:
            return self.assembler.predict(plan, base, supplies, progress=self.progress)
        except CannotCompileError as error:
            self.progress.warn(f"the image for {target} is not predicted: {error}")
            return None
