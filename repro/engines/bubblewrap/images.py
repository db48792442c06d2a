"""Which image a reference means: one in a layout or an archive, or one in the stores that `repro build` fills."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.digest import Digest
from repro.engines.model import ImageInfo
from repro.errors import IntegrityError, UsageError
from repro.oci.documents import parse_config, parse_object
from repro.oci.image import Image
from repro.oci.layouts import LAYOUT_FILE, Folder, Layout
from repro.oci.locations import Images, Location, is_location, open_location, parse_location
from repro.oci.nodes import Node
from repro.oci.sources import SourceImage

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
_FULL = 64


@dataclass(frozen=True, slots=True)
class Found:
    """An image with the names that it has where it was found."""

    image: Image
    tags: tuple[str, ...]

    @property
    def id(self) -> str:
        """`sha256:…` of its configuration."""
        return str(Digest.of(self.image.config))


@dataclass(frozen=True, slots=True)
class Settings:
    """How an image wants to be run (image-spec, config.md): the fields of that name."""

    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    user: str
    directory: str
    created: str


def find_image(reference: str, platform: str, stores: Iterable[Path]) -> Found | None:
    """The image that a person means, or None.

    Args:
        reference: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`; a name in a store (without
            a tag, `:latest`); the digest of its configuration or manifest, at least 12 digits of it; or the path of a
            layout or an archive.
        platform: `os/architecture`.
        stores: Layouts to look in.

    Raises:
        UsageError: The place is not what was said, or holds several images, or none for the platform.
        IntegrityError: The image is damaged.
    """
    if is_location(reference):
        return _at(parse_location(reference), platform)
    layouts = [Layout(Folder(store)) for store in stores]
    digest = _digest(reference)
    if digest is not None:
        return next(_with_digest(layouts, digest, platform), None)
    found = _named(layouts, reference, platform) or _abbreviated(layouts, reference, platform)
    return found or (_at(Location(None, Path(reference), None), platform) if _is_place(Path(reference)) else None)


def all_images(stores: Iterable[Path], platform: str) -> Iterator[Found]:
    """Every image for a platform that has a name in a store; damaged ones are left out."""
    for store in stores:
        yield from _grouped(Layout(Folder(store)), platform)


def settings(image: Image, where: str) -> Settings:
    """Read the configuration. Raises IntegrityError when it is damaged."""
    root = Node(parse_object(image.config, where), "", [])
    config = root.child("config")
    found = Settings(
        env=_texts(config.child("Env")),
        entrypoint=_texts(config.child("Entrypoint")),
        cmd=_texts(config.child("Cmd")),
        user=_text(config.child("User")),
        directory=_text(config.child("WorkingDir")) or "/",
        created=_text(root.child("created")),
    )
    root.check("the image configuration is damaged", where)
    return found


def image_info(found: Found) -> ImageInfo:
    """What an engine tells of an image. Raises IntegrityError when its configuration is damaged."""
    config, wants = parse_config(found.image.config, found.id), settings(found.image, found.id)
    return ImageInfo(
        id=found.id,
        tags=found.tags,
        repo_digests=(),
        platform=config.platform,
        labels=config.labels,
        env=config.env,
        user=wants.user,
        entrypoint=wants.entrypoint,
        diff_ids=tuple(str(diff_id) for diff_id in config.diff_ids),
        size=sum(layer.size for layer in found.image.layers),
        cmd=wants.cmd,
    )


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(_text(item) for item in node.items(optional=True))


def _text(node: Node) -> str:
    """A text, empty where there is none."""
    if node.value is None or isinstance(node.value, str):
        return node.value or ""
    node.fault("must be a text")
    return ""


def _at(location: Location, platform: str) -> Found:
    images = open_location(location)
    found = images.pinned(location.reference, platform)
    return Found(found.image, found.names)


def _is_place(path: Path) -> bool:
    return path.is_file() or (path / LAYOUT_FILE).is_file()


def _digest(reference: str) -> Digest | None:
    """The digest in `name@sha256:…`, `sha256:…` or 64 digits, or None."""
    found = _HEX.fullmatch(reference.rpartition("@")[2])
    return Digest(found[1]) if found and len(found[1]) == _FULL else None


def _with_digest(layouts: Sequence[Layout], digest: Digest, platform: str) -> Iterator[Found]:
    for layout in layouts:
        with contextlib.suppress(UsageError):  # it is there for another platform
            image = layout.with_digest(digest, platform)
            if image is not None:
                yield Found(image, _names(layout, image, platform))


def _named(layouts: Sequence[Layout], reference: str, platform: str) -> Found | None:
    name = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
    for layout in layouts:
        if name in layout.references():
            found = layout.pinned(name, platform)
            return Found(found.image, found.names)
    return None


def _abbreviated(layouts: Sequence[Layout], reference: str, platform: str) -> Found | None:
    start = _HEX.fullmatch(reference)
    if start is None:
        return None
    every = (found for layout in layouts for found in _grouped(layout, platform))
    matching = {found.id: found for found in every if _begins(found.image, start[1])}
    if len(matching) > 1:
        raise UsageError("several images have digests that begin so", where=reference, fix="Write more of it.")
    return next(iter(matching.values()), None)


def _begins(image: Image, start: str) -> bool:
    return any(Digest.of(document).hex.startswith(start) for document in (image.config, image.manifest))


def _grouped(images: Images, platform: str) -> Iterator[Found]:
    """Every named image for a platform, once, with all its names."""
    names: dict[str, list[str]] = {}
    opened: dict[str, SourceImage] = {}
    for name in images.references():
        with contextlib.suppress(IntegrityError, UsageError):
            image = images.pinned(name, platform).image
            key = str(Digest.of(image.config))
            opened[key] = image
            names.setdefault(key, []).append(name)
    for key, image in opened.items():
        yield Found(image, tuple(names[key]))


def _names(images: Images, image: Image, platform: str) -> tuple[str, ...]:
    return next((found.tags for found in _grouped(images, platform) if found.image.config == image.config), ())
