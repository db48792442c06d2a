"""Brings what a plan names: project files that were checked, objects of the project, downloads kept in the cache."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from repro.conda.credentials import with_own_credentials
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.http import Session
from repro.lock import SystemPackage
from repro.plan.builder import Artifacts
from repro.plan.model import BuildPlan, Compile, CondaLink, Deb, Item, Unpack, Wheel
from repro.progress import Progress
from repro.store import ObjectStore
from repro.store.fetch import Wanted, fetch_all

_CARRY = "Copy .repro/objects from where the lock was captured (docs/how-to/carry-objects.md), or capture again."


class LockedSupplies:
    """What one plan may ask for (`repro.plan.Supplies`); each file is checked once, when it is first asked for.

    Args:
        plan: Names everything but the project's files.
        files: The project's files, checked already.
        objects: The project's object store.
        cache: Where downloads are kept.
        sessions: Gives each thread a session for downloads.
        progress: Told what happens.
    """

    def __init__(
        self,
        plan: BuildPlan,
        files: Mapping[Digest, Path],
        *,
        objects: ObjectStore,
        cache: ObjectStore,
        sessions: Callable[[], Session],
        progress: Progress,
    ) -> None:
        self._wanted = {item.sha256: item for item in wanted(plan)}
        self._debs = {package.sha256: package for package in _debs(plan)}
        self._found = dict(files)
        self._objects = objects
        self._cache = cache
        links = any(isinstance(item, CondaLink) for layer in plan.layers for item in layer.items)
        self._sessions = with_own_credentials(sessions) if links else sessions
        self._progress = progress

    def bring(self, digests: Collection[Digest]) -> Artifacts:
        """A local file for each digest (see `repro.plan.Supplies.bring`)."""
        unknown = sorted(set(digests) - self._found.keys())
        debs = [self._debs[digest] for digest in unknown if digest in self._debs]
        missing = [self._wanted[digest] for digest in unknown if digest not in self._debs]
        if debs:
            from repro.debian.fetch import fetch_debs  # noqa: PLC0415 - most images have none

            self._found |= fetch_debs(
                debs, stores=[self._objects], cache=self._cache, sessions=self._sessions, progress=self._progress
            )
        if missing:
            _check_objects(missing, self._objects)
            self._found |= fetch_all(
                missing,
                stores=[self._objects],
                cache=self._cache,
                sessions=self._sessions,
                progress=self._progress,
            )
        return {digest: self._found[digest] for digest in digests}

    def bring_all(self) -> Artifacts:
        """Everything there is."""
        return self.bring([*self._wanted, *self._debs, *self._found])


def wanted(plan: BuildPlan) -> Iterator[Wanted]:
    """Everything but project files and Debian packages that builders need on their machine."""
    installer = plan.installer
    yield Wanted(installer.name, installer.sha256, installer.size, installer.url)
    for layer in plan.layers:
        for item in layer.items:
            yield from _wanted_by(item)


def _wanted_by(item: Item) -> Iterator[Wanted]:
    match item:
        case Wheel(file=file):
            yield Wanted(file.name, file.sha256, file.size, file.url)
        case Unpack(content):
            yield Wanted(content.label, content.sha256, content.size, None)
        case CondaLink(package):
            yield Wanted(package.file, package.sha256, package.size, package.url)
            for patch in package.patched:
                yield Wanted(f"{package.label}: {patch.path}", patch.sha256, patch.size, None)
        case Compile(source):
            yield from _wanted_by(source)
        case _:
            return


def _debs(plan: BuildPlan) -> Iterator[SystemPackage]:
    for layer in plan.layers:
        yield from (item.package for item in layer.items if isinstance(item, Deb))


def _check_objects(needed: Sequence[Wanted], objects: ObjectStore) -> None:
    """What no index has must be in the project's object store, whole."""
    local = {item.sha256: item for item in needed if item.url is None}
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
