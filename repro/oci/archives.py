"""Images in a tar archive: an OCI layout in a tar, or what `docker save` writes. Nothing is unpacked."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.oci.documents import manifest_json, parse_config
from repro.oci.image import CONFIG, LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor
from repro.oci.layouts import INDEX_FILE, LAYOUT_FILE, Files, Layout, read_document
from repro.oci.nodes import FIX, Node
from repro.oci.sources import Pinned, SourceImage, source_image
from repro.oci.tar_files import tar_files

MANIFEST_FILE = "manifest.json"
"""What `docker save` calls its list of images (moby's image-spec v1.2, combined image JSON and filesystem)."""

_MEDIA_TYPES = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}
_BLOCK = 1 << 20


def open_archive(path: Path, reference: str | None, platform: str) -> SourceImage:
    """An image of an archive, whichever kind it is; where it is both, the OCI layout counts.

    Args:
        path: The archive, plain or compressed with gzip or zstd.
        reference: The image's name in it, or `@sha256:…` (see `open_layout`); None where there is only one.
        platform: `os/architecture`.

    Raises:
        UsageError: It is no archive of images, or has no such image, or several.
        IntegrityError: It is damaged.
    """
    files = tar_files(path)
    images = Layout(files) if is_layout(files) else DockerArchive(files)
    return images.pinned(reference, platform).image


def is_layout(files: Files) -> bool:
    """Whether an archive holds an OCI layout."""
    return files.size(LAYOUT_FILE) is not None and files.size(INDEX_FILE) is not None


class ArchiveFiles(Files, Protocol):
    """Files of an archive."""

    def compression(self, path: str) -> str:
        """What a file's first bytes show: "gzip", "zstd", or "" for none."""
        ...


class DockerArchive:
    """The images of a `docker save` archive.

    It has no manifests; they are made here: always the same for the same image. Layers that aren't compressed, which
    is how engines write them, are known by their diff_id.

    Raises:
        UsageError: The archive is of another kind.
        IntegrityError: It is damaged.
    """

    def __init__(self, files: ArchiveFiles) -> None:
        self._files = files
        if files.size(MANIFEST_FILE) is None:
            raise UsageError(f"not an archive of images: it has no {MANIFEST_FILE}", where=files.where)
        self._items = _parse(read_document(files, MANIFEST_FILE), f"{files.where}: {MANIFEST_FILE}")

    def references(self) -> tuple[str, ...]:
        """The names that the images have here."""
        return tuple(sorted({tag for item in self._items for tag in item.tags}))

    def pinned(self, reference: str | None, platform: str) -> Pinned:
        """See `open_archive`; `@sha256:…` is the digest of a configuration here: the image ID."""
        items = [item for item in self._items if reference is None or self._is_called(item, reference)]
        found = {self._id(item): item for item in items}
        if len(found) != 1:
            many = "several images" if found else "no image"
            what = f"the archive has {many}" + ("" if reference is None else f" {reference}")
            raise UsageError(what, where=self._files.where, fix=f"Name one of these: {self.offered()}.")
        image = self._image(items[0])
        if image.platform != platform:
            raise UsageError(f"there is no image for {platform}, only for {image.platform}", where=self._files.where)
        return Pinned(Digest.of(image.manifest), image.manifest, image, items[0].tags)

    def with_digest(self, digest: Digest, platform: str) -> SourceImage | None:
        """The image for a platform whose configuration, or made manifest, has this digest."""
        for item in self._items:
            image = self._image(item)
            if image.platform == platform and digest in {Digest.of(image.config), Digest.of(image.manifest)}:
                return image
        return None

    def every(self, reference: str | None) -> list[tuple[tuple[str, ...], SourceImage]]:
        """The images that are called so (None: all), whatever their platform, each with its names here."""
        items = [item for item in self._items if reference is None or self._is_called(item, reference)]
        return [(item.tags, self._image(item)) for item in items]

    def _is_called(self, item: "_Item", reference: str) -> bool:
        return _short(reference) in map(_short, item.tags) or reference == f"@{self._id(item)}"

    def offered(self) -> str:
        """How its images may be named, for messages."""
        return ", ".join(self.references() or [f"@{self._id(item)}" for item in self._items])

    def _id(self, item: "_Item") -> Digest:
        return Digest.of(read_document(self._files, item.config))

    def _image(self, item: "_Item") -> SourceImage:
        where = f"{self._files.where}: {item.config}"
        config = read_document(self._files, item.config)
        diff_ids = parse_config(config, where).diff_ids
        if len(diff_ids) != len(item.layers):
            raise IntegrityError(
                f"layers listed: {len(item.layers)}; in the configuration: {len(diff_ids)}", where=where, fix=FIX
            )
        layers = [self._layer(path, diff_id) for path, diff_id in zip(item.layers, diff_ids, strict=True)]
        manifest = manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), layers)
        paths = {layer.digest: path for layer, path in zip(layers, item.layers, strict=True)}
        return source_image(manifest, config, where, functools.partial(_open, self._files, paths))

    def _layer(self, path: str, diff_id: Digest) -> Descriptor:
        size = self._files.size(path)
        if size is None:
            raise IntegrityError(
                f"{MANIFEST_FILE} lists the layer {path}, which is missing", where=self._files.where, fix=FIX
            )
        compression = self._files.compression(path)
        if not compression:
            return Descriptor(LAYER, diff_id, size)
        hasher = hashlib.sha256()
        with self._files.open(path) as stream:
            while block := stream.read(_BLOCK):
                hasher.update(block)
        return Descriptor(_MEDIA_TYPES[compression], Digest(hasher.hexdigest()), size)


@dataclass(frozen=True, slots=True)
class _Item:
    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def _short(tag: str) -> str:
    """A name as engines show it: some programs write Docker Hub's in full."""
    return tag.removeprefix("docker.io/").removeprefix("library/")


def _open(files: ArchiveFiles, paths: Mapping[Digest, str], layer: Descriptor) -> BinaryIO:
    return files.open(paths[layer.digest])


def _parse(data: bytes, where: str) -> Sequence[_Item]:
    root = Node(_list(data, where), "", [])
    items = [
        _Item(
            config=item.child("Config").text(),
            tags=tuple(tag.text() for tag in item.child("RepoTags").items(optional=True)),
            layers=tuple(layer.text() for layer in item.child("Layers").items(optional=True)),
        )
        for item in root.items()
    ]
    root.check("the list of images is damaged", where)
    return items


def _list(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"the list of images is not JSON: {error}", where=where, fix=FIX) from error
