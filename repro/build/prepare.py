"""Before anything is built: the lock, the project against it, the plan, and the base where it's at hand."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from repro.build.project import check_project
from repro.digest import Digest
from repro.engines import DockerEngine, find_docker
from repro.errors import InfrastructureError
from repro.http import Session, per_thread, session
from repro.lock import Bytecode, Encoding, ImageOptions, Lock, PredictedImage, load_lock
from repro.plan import BuildPlan, make_plan, runner_sources
from repro.plan.layers import baked
from repro.plan.supplies import LockedSupplies
from repro.progress import Progress
from repro.registry import Registry
from repro.store import ObjectStore, artifact_cache, project_store
from repro.words import count


class Sources:
    """Where things come from; the engine is looked for at most once, and only when somebody asks.

    Args:
        sessions: Gives each thread a session for downloads (`repro.http`); the environment's settings when None.
        cache: Where downloads and bases are kept; the user's cache when None.
        registry: Gives a client for registries; the environment's settings when None.
        base: A local place of the base: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`; None to look for it.
        find: Looks for the engine.
    """

    def __init__(
        self,
        *,
        sessions: Callable[[], Session] | None = None,
        cache: ObjectStore | None = None,
        registry: Callable[[], Registry] | None = None,
        base: str | None = None,
        find: Callable[[], DockerEngine] = find_docker,
    ) -> None:
        self.sessions = sessions or per_thread(session)
        self.cache = cache or artifact_cache()
        self.registry = functools.cache(registry or Registry)
        self.base = base
        self.engine = functools.cache(find)

    def engine_or_none(self) -> DockerEngine | None:
        """The engine, where one answers."""
        try:
            return self.engine()
        except InfrastructureError:
            return None


@dataclass(frozen=True, slots=True)
class Project:
    """A project whose every file is what its lock says.

    Attributes:
        root: The directory that holds the lock.
        lock: The lock, with the options that were asked for instead of its own.
        body: What the lock digest covers.
        files: The project's files by digest.
        captured: Options that the lock's predictions are made for.
    """

    root: Path
    lock: Lock
    body: bytes
    files: dict[Digest, Path]
    captured: ImageOptions


@dataclass(frozen=True, slots=True)
class Prepared:
    """One target, ready to be built."""

    plan: BuildPlan
    supplies: LockedSupplies
    predicted: PredictedImage | None


def open_project(
    lock_path: Path, progress: Progress, encoding: Encoding | None = None, bytecode: Bytecode | None = None
) -> Project:
    """Read the lock and check every project file against it.

    Raises:
        UsageError: There is no lock.
        IntegrityError: The lock is damaged, or the project is not what it says.
    """
    lock, body = load_lock(lock_path, progress)
    options = replace(lock.image, encoding=encoding or lock.image.encoding)
    if bytecode is not None:
        options = replace(options, bytecode=bytecode, compiled=None)
    root = lock_path.resolve().parent
    files = check_project(lock.files, root, project_store(root), progress, lock.evidence.profiles)
    checked = len(baked(lock.files))
    progress.note(f"{count(checked, 'project file')} {'is' if checked == 1 else 'are'} what the lock says")
    return Project(root, replace(lock, image=options), body, files, lock.image)


def prepare(project: Project, target: str | None, sources: Sources, progress: Progress) -> Prepared:
    """The plan for one target and what it may ask for. Raises as `make_plan` does."""
    plan = make_plan(project.lock, project.body, runner_sources(), target)
    supplies = LockedSupplies(
        plan,
        project.files,
        objects=project_store(project.root),
        cache=sources.cache,
        sessions=sources.sessions,
        progress=progress,
    )
    return Prepared(plan, supplies, _predicted(project, plan))


def _predicted(project: Project, plan: BuildPlan) -> PredictedImage | None:
    """What the lock says of this image, as far as the options that were asked for leave it true."""
    options, captured = project.lock.image, project.captured
    found = next((image for image in project.lock.predicted if image.target == plan.target), None)
    if found is None or (options.bytecode, options.compiled) != (captured.bytecode, captured.compiled):
        return None
    if options.encoding == captured.encoding:
        return found
    layers = tuple(replace(layer, blob=None, size=None) for layer in found.layers)
    return replace(found, manifest=None, layers=layers)
