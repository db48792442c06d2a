"""The locked base image, wherever it is: named by the person, in the cache, in a registry, in the engine.

It is looked for by its digest only, never by a tag, and everything that comes is hashed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from repro.engines import DockerEngine
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.files import DiskError
from repro.lock import Base
from repro.oci.image import Image
from repro.oci.kept import is_kept, kept_image, nowhere
from repro.oci.locations import open_location, parse_location
from repro.progress import Progress
from repro.registry import ImageName, NotFoundError, Registry, parse_name, registry_image
from repro.store import ObjectStore
from repro.transfer.facts import BaseFacts, PathFact, base_facts
from repro.transfer.plain import kept_plain, plain_image
from repro.transfer.saved import saved_image

__all__ = ["BaseFacts", "PathFact", "base_facts", "find_base", "is_base_kept", "pullable"]

_LOCKED = "repro.lock: base"
_NAME_IT = (
    "Name a layout or an archive that holds it: `repro build --base oci:DIRECTORY`, `oci-archive:FILE` or "
    "`docker-archive:FILE` (docs/how-to/base-images.md)."
)
_OR_NAME_IT = f"Or n{_NAME_IT[1:]}"


def find_base(
    base: Base,
    target: str,
    *,
    given: str | None,
    cache: ObjectStore,
    engine: Callable[[], DockerEngine | None],
    registry: Registry,
    progress: Progress,
) -> Image:
    """The base for a platform.

    Args:
        base: What the lock pins.
        target: `os/architecture`.
        given: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE` or a path, where the person says that it is; then
            it is looked for nowhere else.
        cache: Where documents and layers are kept.
        engine: Gives a local engine, or None when there is none; asked only when it matters.
        registry: The client for registries.
        progress: Told of downloads.

    Raises:
        UsageError: What was given doesn't hold the locked base.
        IntegrityError: What was found is damaged, or is for another platform.
        InfrastructureError: It can't be had.
    """
    search = _Search(base, target, cache, progress)
    if given is not None:
        return search.in_location(given)
    match base.source:
        case "engine":
            return search.in_engine(engine)
        case "registry":
            return search.in_registry(registry, parse_name(base.reference))
        case "layout":
            return search.in_cache(registry)


def is_base_kept(base: Base, target: str, cache: ObjectStore) -> bool:
    """Whether all of a base for a platform is in the cache, so that a build has to ask nobody for it."""
    try:
        if base.source == "engine":
            found = kept_plain(base.digest, target, cache)
        else:
            found = kept_image(base.digest, target, base.reference, cache, nowhere)
    except IntegrityError:
        return False
    return found is not None and all(is_kept(layer, cache) for layer in found.layers)


def pullable(reference: str) -> ImageName | None:
    """The image name that a reference is, if it says a registry: a mere `base:1` is no reason to ask Docker Hub."""
    try:
        name = parse_name(reference)
    except UsageError:
        return None
    return name if reference.startswith(f"{name.registry}/") else None


@dataclass(frozen=True, slots=True)
class _Search:
    base: Base
    target: str
    cache: ObjectStore
    progress: Progress

    @property
    def _what(self) -> str:
        return f"the base image {self.base.reference} ({self.base.digest})"

    def in_location(self, given: str) -> Image:
        images = open_location(parse_location(given))
        found = images.with_digest(self.base.digest, self.target)
        if found is None:
            raise UsageError(
                f"{self._what} is not in there",
                where=given,
                fix=f"Name the place that it was captured from, or {self._copying}.",
                details=_listed(images.references()),
            )
        return plain_image(found, self.cache) if self.base.source == "engine" else found

    def in_engine(self, engine: Callable[[], DockerEngine | None]) -> Image:
        kept = kept_plain(self.base.digest, self.target, self.cache)
        if kept is not None:
            return kept
        there = engine()
        if there is None or there.image(str(self.base.digest)) is None:
            problem = "no container engine answers" if there is None else self._other(there)
            raise InfrastructureError(
                f"{self._what} is not here: {problem}",
                where=_LOCKED,
                fix="Bring it from where the lock was captured: `docker save` there, `docker load` here. "
                f"{_OR_NAME_IT}",
            )
        return saved_image(there, self.base.digest, self.target, store=self.cache, progress=self.progress)

    def in_registry(self, registry: Registry, name: ImageName) -> Image:
        try:
            return registry_image(
                registry, name, self.base.digest, self.target, store=self.cache, progress=self.progress
            )
        except DiskError:
            raise
        except InfrastructureError as error:
            kind = NotFoundError if isinstance(error, NotFoundError) else InfrastructureError
            raise kind(
                f"{self._what} can't be pulled: {error.what}",
                where=_LOCKED,
                fix=f"{error.fix or 'Check the network.'} {_OR_NAME_IT}",
                details=error.details,
            ) from error

    def in_cache(self, registry: Registry) -> Image:
        name = pullable(self.base.reference)
        if name is not None:
            return self.in_registry(registry, name)
        found = kept_image(self.base.digest, self.target, self.base.reference, self.cache, nowhere)
        if found is None:
            raise InfrastructureError(
                f"{self._what} is not in the cache, and no registry has it", where=_LOCKED, fix=_NAME_IT
            )
        return found

    @property
    def _copying(self) -> str:
        """How whoever has it makes a copy of the same digest: not every tool copies configurations as they are."""
        if self.base.source == "engine":
            return f"save it where the lock was captured: `docker save -o base.tar {self.base.reference}`"
        return "copy it there by its digest with everything that belongs to it (`skopeo copy --all --preserve-digests`)"

    def _other(self, engine: DockerEngine) -> str:
        other = engine.image(self.base.reference)
        return f"the image that is called so in this engine is {other.id}" if other else "this engine doesn't have it"


def _listed(references: tuple[str, ...]) -> str:
    return f"It has: {', '.join(references)}" if references else ""
