"""Where built images go: an engine, an OCI layout, an archive, registries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.errors import UsageError
from repro.oci.image import Image
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import write_layout
from repro.plan import BuiltImage
from repro.progress import Progress
from repro.registry import Registry, parse_name
from repro.transfer.load import load

_ONE_PLATFORM = "an engine holds one platform under a name"
_SEVERAL = "Name one platform, or write a multi-platform image with --output oci:DIRECTORY or --push."
_TAG = "Name the image with its registry: --tag registry.example.com/team/model:1.0 (Docker Hub is docker.io)."
_FORMS = "Write `engine`, `registry`, `oci:DIRECTORY` or `oci-archive:FILE`."


@dataclass(frozen=True, slots=True)
class Output:
    """One destination.

    Attributes:
        kind: An engine, an OCI layout directory, an archive that old and new engines load, or the registries that
            the image's names say.
        path: Directory or file; None for the other two.
    """

    kind: Literal["engine", "layout", "archive", "registry"]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """What delivering needs: the engine is only looked for when an output asks for it."""

    tags: tuple[str, ...]
    engine: Callable[[], DockerEngine]
    registry: Callable[[], Registry]
    base: str
    progress: Progress

    @property
    def references(self) -> list[str]:
        """The names in full, as engines keep them: a name without a tag is its `latest`."""
        return [tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest" for tag in self.tags]


def parse_output(text: str) -> Output:
    """Read `engine`, `registry`, `oci:DIRECTORY`, `oci-archive:FILE`. Raises UsageError for anything else."""
    kind, colon, place = text.partition(":")
    if text == "engine":
        return Output("engine")
    if text == "registry":
        return Output("registry")
    if colon and place and kind in ("oci", "oci-archive") and ":" not in Path(place).name:
        return Output("layout" if kind == "oci" else "archive", Path(place))
    raise UsageError(f"not a destination for images: {text!r}", where="--output", fix=_FORMS)


def check_outputs(outputs: Sequence[Output], tags: Sequence[str], platforms: int) -> None:
    """What can be told before anything is assembled.

    Raises:
        UsageError: Something else than a file where one has to be written, a file where a directory has, several
            platforms for an engine, or a push to nowhere.
    """
    for output in outputs:
        match output.kind:
            case "engine" if platforms > 1:
                raise UsageError(_ONE_PLATFORM, where="--platform", fix=_SEVERAL)
            case "registry" if not all(_names_registry(tag) for tag in tags) or not tags:
                raise UsageError("pushing takes a name that says the registry", where="--push", fix=_TAG)
            case "archive" if output.path is not None and output.path.exists() and not output.path.is_file():
                raise UsageError("is not a regular file, as an archive is", where=str(output.path))
            case "layout" if output.path is not None and output.path.exists() and not output.path.is_dir():
                raise UsageError("is a file, and an image layout is a directory", where=str(output.path))
            case _:
                continue


def _names_registry(tag: str) -> bool:
    first, slash, _ = tag.partition("/")
    return bool(slash) and (first == "localhost" or any(mark in first for mark in ".:"))


def deliver(images: Sequence[Image], output: Output, to: Destination) -> list[BuiltImage]:
    """Bring images of different platforms to one destination.

    Raises:
        UsageError: An engine can't take images of several platforms under one name.
        IntegrityError: A layer's bytes are not what its digest says.
        InfrastructureError: Engine, registry or disk failed.
    """
    match output.kind:
        case "engine":
            return [_to_engine(_only(images), to)]
        case "layout":
            assert output.path is not None  # noqa: S101 - parse_output gives it
            digest = write_layout(images, output.path, references=to.references)
            return _described(images, f"oci:{output.path}", to, digest)
        case "archive":
            assert output.path is not None  # noqa: S101 - parse_output gives it
            digest = write_archive(images, output.path, references=to.references)
            return _described(images, f"oci-archive:{output.path}", to, digest)
        case "registry":
            return _to_registries(images, to)


def described(image: Image, place: str, tags: Sequence[str], digest: Digest | None = None, size: int = 0) -> BuiltImage:
    """What is told of an image at a place."""
    return BuiltImage(
        id=str(Digest.of(image.config)),
        tags=tuple(tags),
        size=size or sum(layer.size for layer in image.layers),
        place=place,
        platform=image.platform,
        digest=str(digest or Digest.of(image.manifest)),
    )


def _described(images: Sequence[Image], place: str, to: Destination, digest: Digest) -> list[BuiltImage]:
    return [described(image, place, to.tags, digest) for image in images]


def _only(images: Sequence[Image]) -> Image:
    if len(images) > 1:
        raise UsageError(_ONE_PLATFORM, where="--platform", fix=_SEVERAL)
    return images[0]


def _to_engine(image: Image, to: Destination) -> BuiltImage:
    engine = to.engine()
    loaded = load(engine, image, tags=to.tags, progress=to.progress)
    info = engine.info()
    return described(image, f"{info.name} {info.version} at {info.endpoint}", to.tags, size=loaded.size)


def _to_registries(images: Sequence[Image], to: Destination) -> list[BuiltImage]:
    from repro.transfer.push import push  # noqa: PLC0415 - most builds push nothing

    registry = to.registry()
    names = [parse_name(tag) for tag in to.tags]
    mounts = [parse_name(to.base)] if to.base else []
    digests = [push(images, name, registry=registry, mount_from=mounts, progress=to.progress) for name in names]
    place = ", ".join(sorted({name.registry for name in names}))
    return [described(image, place, to.tags, digests[0]) for image in images]
