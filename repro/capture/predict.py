"""What the lock's images will be, bit for bit: they are assembled here and stated, for every build to prove."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from repro_oci.image_python import CannotCompileError, can_compile

from repro.engines import DockerEngine
from repro.http import Session
from repro.lock import ImageOptions, Lock, PredictedImage, parse_lock, render_body
from repro.plan import Assembler, make_plan, runner_sources
from repro.plan.supplies import LockedSupplies
from repro.progress import Progress
from repro.registry import Registry
from repro.store import ObjectStore, project_store
from repro.transfer.base import find_base


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
        body = render_body(lock)
        as_read = parse_lock(body)  # in the order in which builds will see everything
        found = [self._image(as_read, body, root, target) for target in lock.targets]
        return replace(lock, predicted=tuple(image for image in found if image is not None))

    def _image(self, lock: Lock, body: bytes, root: Path, target: str) -> PredictedImage | None:
        plan = make_plan(lock, body, runner_sources(), target)
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
