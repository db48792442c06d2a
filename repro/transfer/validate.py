"""Check the images that a target names, wherever they are: layouts, archives, registries, an engine."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.errors import InfrastructureError, IntegrityError, ReproError, UsageError
from repro.oci.archives import is_layout
from repro.oci.documents import is_index, parse_config, parse_index, parse_manifest
from repro.oci.image import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST
from repro.oci.layouts import Folder, Layout
from repro.oci.locations import Location, is_location, parse_location
from repro.oci.sources import prefetch
from repro.oci.stores import image_stores
from repro.oci.tar_files import tar_files
from repro.oci.validate import Finding, Report, problems, validate
from repro.oci.validate_layout import compare_lists, validate_docker_archive, validate_layout
from repro.progress import Progress
from repro.registry import ImageName, MissingError, Registry, check_status, parse_name, registry_image
from repro.store import ObjectStore
from repro.transfer.saved import saved_image

_REGISTRY = "docker://"
_ACCEPT = {"Accept": f"{INDEX}, {DOCKER_INDEX}, {MANIFEST}, {DOCKER_MANIFEST}"}


def validate_target(
    target: str,
    *,
    claims: Mapping[str, str],
    engine: Callable[[], DockerEngine],
    registry: Registry,
    progress: Progress,
) -> Report:
    """Check every image that a target names.

    What comes from registries and engines is read from there, never from a cache, and not kept.

    Args:
        target: A layout's directory, an archive, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`,
            `docker-archive:FILE[:NAME]`, `docker://NAME` in a registry, or an image of the engine.
        claims: As for `repro.oci.validate.validate`.
        engine: Gives the engine; asked only for its own images.
        registry: The client.
        progress: Told of bytes.

    Raises:
        UsageError: There is no such thing.
        InfrastructureError: It can't be read.
    """
    try:
        if target.startswith(_REGISTRY):
            return _in_registry(parse_name(target.removeprefix(_REGISTRY)), registry, claims, progress)
        if is_location(target) or Path(target).exists():
            return _at(parse_location(target), claims)
        return _named(target, engine, claims, progress)
    except IntegrityError as error:
        return Report(findings=tuple(problems(error)))


def _at(place: Location, claims: Mapping[str, str]) -> Report:
    if not place.path.exists():
        raise UsageError("there is no such layout or archive of images", where=str(place.path))
    if place.path.is_dir():
        if place.kind not in {None, "oci"}:
            what = f"{place.kind}: can't be a directory"
            raise UsageError(what, where=str(place.path), fix="Write oci: for a layout in a directory.")
        return validate_layout(Folder(place.path), place.reference, claims)
    if place.kind == "oci":
        raise UsageError("oci: can't be a file", where=str(place.path), fix="Write oci-archive: for an archive.")
    files = tar_files(place.path)
    if place.kind == "docker-archive" or (place.kind is None and not is_layout(files)):
        return validate_docker_archive(files, place.reference, claims)
    found = validate_layout(files, place.reference, claims)
    return found if place.reference else found + compare_lists(files, found)


def _in_registry(name: ImageName, registry: Registry, claims: Mapping[str, str], progress: Progress) -> Report:
    digest = name.digest or _digest(name, registry)
    data = registry.manifest(name, digest)
    leaves: list[tuple[Digest, str | None]] = [(digest, None)]
    if is_index(data, str(name)):
        leaves = [(entry.descriptor.digest, entry.platform) for entry in parse_index(data, str(name)).entries]
    found = Report()
    for leaf, platform in leaves:
        if platform == "unknown/unknown":
            note = "is no image, but something kept beside one: it was not read"
            found += Report(findings=(Finding("note", f"manifest {leaf.short}", note),))
            continue
        found += _leaf(name.at(leaf), registry, platform, claims, progress)
    return found


def _leaf(
    name: ImageName, registry: Registry, listed: str | None, claims: Mapping[str, str], progress: Progress
) -> Report:
    """One image of a registry."""
    assert name.digest is not None  # noqa: S101 - it was found by its digest
    where = f"manifest {name.digest.short}"
    try:
        manifest = parse_manifest(registry.manifest(name, name.digest), where)
        platform = parse_config(registry.document(name, manifest.config), f"{where}: its configuration").platform
        with _scratch() as store:
            image = registry_image(registry, name, name.digest, platform, store=store, progress=progress)
            prefetch(image)
            found = validate(image, claims=claims)
    except (IntegrityError, MissingError) as error:
        return Report(findings=tuple(problems(error)))
    if listed not in {None, platform}:
        found += Report(findings=(Finding("problem", where, f"is listed for {listed}, but is for {platform}"),))
    return found


def _digest(name: ImageName, registry: Registry) -> Digest:
    """What a tag points to now."""
    with registry.send("GET", name, f"manifests/{name.tag}", headers=_ACCEPT) as answer:
        check_status(answer, name)
        with registry.errors(answer.url):
            return Digest.of(answer.content)


def _named(reference: str, engine: Callable[[], DockerEngine], claims: Mapping[str, str], progress: Progress) -> Report:
    """An image of the container engine, else of those that are kept without one."""
    missing: ReproError = UsageError(
        f"there is no image {reference}, and no such layout or archive",
        fix="Name a directory, a file, docker://NAME for a registry, or an image that the engine has.",
    )
    try:
        there = engine()
        info = there.image(reference)
    except InfrastructureError as error:
        missing, info = _not_asked(reference, error), None
    if info is not None:
        with _scratch() as store:
            image = saved_image(
                there, Digest.parse(info.id), info.platform, store=store, progress=progress, what="the image"
            )
            return validate(image, claims=claims)
    for folder in map(Folder, image_stores(Path.cwd())):
        if reference in Layout(folder).references():
            return validate_layout(folder, reference, claims)
    raise missing


def _not_asked(reference: str, error: InfrastructureError) -> InfrastructureError:
    return InfrastructureError(
        f"there is no layout or archive {reference}, and an engine can't be asked: {error.what}",
        where=error.where,
        fix=error.fix,
        problems=error.problems,
        details=error.details,
    )


@contextlib.contextmanager
def _scratch() -> Iterator[ObjectStore]:
    with tempfile.TemporaryDirectory(prefix="repro-validate-") as folder:
        yield ObjectStore(Path(folder), durable=False)
