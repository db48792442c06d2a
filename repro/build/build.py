"""`repro build`: everything is checked and brought here first; only then does a builder get to work."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.build.builders import find_builder
from repro.build.project import check_project
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.http import Session, per_thread, session
from repro.lock import LockedFile, load_lock
from repro.plan import Artifacts, Builder, BuildPlan, BuiltImage, Unpack, Wheel, make_plan, runner_sources
from repro.progress import Progress, Silent, Task
from repro.store import ObjectStore, Wanted, artifact_cache, fetch_all, project_store

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[\w][\w.-]{{0,127}})?", re.ASCII)

_CARRY = "Copy .repro/objects from where the lock was captured (docs/how-to/carry-objects.md), or capture again."


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: BuildPlan
    artifacts: Artifacts
    builder: Builder


def build(
    lock_path: Path,
    *,
    tags: Sequence[str] = (),
    builder: str = "docker",
    target: str | None = None,
    sessions: Callable[[], Session] | None = None,
    cache: ObjectStore | None = None,
    progress: Progress | None = None,
    no_cache: bool = False,
) -> BuiltImage:
    """Build the image of a lock.

    Args:
        lock_path: The lock; the project is the directory that holds it.
        tags: Names for the image; `<project directory>:<start of the lock digest>` when there are none.
        builder: Name of an installed builder.
        target: Platform, the lock's only one when None.
        sessions: Gives each thread a session for downloads (`repro.http`); the environment's settings when None.
        cache: Where downloads are kept; the user's cache when None.
        progress: Told what happens.
        no_cache: Don't reuse steps of earlier builds.

    Raises:
        UsageError: No lock, a target it doesn't have, an unknown builder, or a name that no image can have.
        IntegrityError: The project, an object or a download is not what the lock says; nothing was built.
        InfrastructureError: Objects that exist nowhere else are missing; the engine, the network or the disk failed.
    """
    _check_tags(tags)
    told = progress or Silent()
    prepared = _prepare(lock_path, builder, target, sessions=sessions, cache=cache, progress=told)
    names = tuple(tags) or (default_tag(lock_path, prepared.plan.lock_digest),)
    return prepared.builder.build(prepared.plan, prepared.artifacts, tags=names, progress=told, no_cache=no_cache)


def emit(
    lock_path: Path,
    directory: Path,
    *,
    builder: str = "docker",
    target: str | None = None,
    sessions: Callable[[], Session] | None = None,
    cache: ObjectStore | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write what a person needs to build the image by hand to an empty directory; returns the main file.

    Arguments and errors are those of `build`; UsageError also when the directory isn't empty.
    """
    prepared = _prepare(lock_path, builder, target, sessions=sessions, cache=cache, progress=progress or Silent())
    return prepared.builder.export(prepared.plan, prepared.artifacts, directory)


def default_tag(lock_path: Path, lock_digest: Digest) -> str:
    """The image's name when nobody gave one: the project directory's, made fit, and the start of the lock digest."""
    plain = unicodedata.normalize("NFKD", lock_path.resolve().parent.name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return f"{slug or 'project'}:{lock_digest.short}"


def _prepare(
    lock_path: Path,
    builder: str,
    target: str | None,
    *,
    sessions: Callable[[], Session] | None,
    cache: ObjectStore | None,
    progress: Progress,
) -> _Prepared:
    lock, data = load_lock(lock_path, progress)
    chosen = find_builder(builder)
    plan = make_plan(lock, data, runner_sources(), target)
    root = lock_path.resolve().parent
    objects = project_store(root)
    checking = progress.start("checking the project", len(lock.files))
    files = check_project(_advancing(lock.files, checking), root, objects)
    checking.finish(f"{len(lock.files)} project files are what the lock says")
    wanted = list(_wanted(plan))
    _check_objects(wanted, objects)
    fetched = fetch_all(
        wanted,
        stores=[objects],
        cache=cache or artifact_cache(),
        sessions=sessions or per_thread(session),
        progress=progress,
    )
    return _Prepared(plan, {**fetched, **files}, chosen)


def _advancing(files: Sequence[LockedFile], task: Task) -> Iterator[LockedFile]:
    for file in files:
        yield file
        task.advance(1, file.path)


def _wanted(plan: BuildPlan) -> Iterator[Wanted]:
    """Everything but project files that the plan needs on this machine."""
    installer = plan.installer
    yield Wanted(installer.name, installer.sha256, installer.size, installer.url)
    for layer in plan.layers:
        for item in layer.items:
            if isinstance(item, Wheel):
                yield Wanted(item.file.name, item.file.sha256, item.file.size, item.file.url)
            elif isinstance(item, Unpack):
                yield Wanted(item.content.label, item.content.sha256, item.content.size, None)


def _check_objects(wanted: Sequence[Wanted], objects: ObjectStore) -> None:
    """What no index has must be in the project's object store, whole."""
    local = {item.sha256: item for item in wanted if item.url is None}
    missing = [f"{item.name}: there is no object {digest}" for digest, item in local.items() if not objects.has(digest)]
    changed: list[str] = []
    for digest, item in local.items():
        if objects.has(digest):
            try:
                objects.checked_path(digest)
            except IntegrityError as error:
                changed.append(f"{item.name}: {error.what}")
    if changed:
        raise IntegrityError(
            "objects in the project's store are not what the lock says",
            where=str(objects.directory),
            problems=[*changed, *missing],
            fix=_CARRY,
        )
    if missing:
        raise InfrastructureError(
            "objects that exist nowhere else are not in the project's store",
            where=str(objects.directory),
            problems=missing,
            fix=_CARRY,
        )


def _check_tags(tags: Sequence[str]) -> None:
    wrong = [tag for tag in tags if not _TAG.fullmatch(tag)]
    if wrong:
        raise UsageError(
            f"not a name that an image can have: {', '.join(repr(tag) for tag in wrong)}",
            where="--tag",
            fix="Use lower-case letters, digits, '.', '_' and '-', such as `my-model:1.0`.",
        )
