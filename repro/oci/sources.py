"""What every source of images shares: from an index to one platform's manifest, and from documents to an `Image`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.documents import IndexEntry, is_index, parse_config, parse_index, parse_manifest
from repro.oci.image import Descriptor, Image
from repro.oci.nodes import FIX

MOST_DOCUMENT = 8 << 20
"""Most bytes of a manifest, index or configuration; registries stop at 4 MiB (distribution-spec, pushing manifests)."""
_DEEPEST = 4

Read = Callable[[Descriptor], bytes]
"""Gives a document by its descriptor: exactly the bytes that the digest stands for."""


def _nothing(layers: Sequence[Descriptor]) -> None:
    """Everything is at hand."""


def _no_file(_layer: Descriptor) -> None:
    """Whoever wants the bytes has to read them."""


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A file of a cache of ours that holds a layer's blob.

    Attributes:
        path: The file, which may be linked to.
        hashed: Whether this process, or a helper of it, has just written or read it, and its digest is the blob's.
    """

    path: Path
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image of some source (`repro.oci.image.Image`); see `source_image`.

    Attributes:
        manifest: As in `Image`.
        config: As in `Image`.
        layers: As in `Image`.
        diff_ids: As in `Image`.
        platform: As in `Image`.
        opener: Opens the blob of a layer.
        bring: Makes sure that layers are on this machine.
        file: The file of a cache of ours that holds a layer, or None.
    """

    manifest: bytes
    config: bytes
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[Digest, ...]
    platform: str
    opener: Callable[[Descriptor], BinaryIO] = field(repr=False)
    bring: Callable[[Sequence[Descriptor]], None] = field(default=_nothing, repr=False)
    file: Callable[[Descriptor], LayerFile | None] = field(default=_no_file, repr=False)

    def open_layer(self, number: int) -> BinaryIO:
        """The blob of a layer, unchecked (see `Image.open_layer`)."""
        return self.opener(self.layers[number])

    def prefetch(self, numbers: Iterable[int]) -> None:
        """Bring these layers to this machine, several at a time. Raises as `open_layer` does."""
        self.bring([self.layers[number] for number in numbers])

    def layer_file(self, number: int) -> LayerFile | None:
        """The file of a cache that holds a layer (`Filed`)."""
        return self.file(self.layers[number])


@dataclass(frozen=True, slots=True)
class Pinned:
    """An image with the digest that its place has for it.

    Attributes:
        digest: Of `document`.
        document: The image's manifest, or the index by which the place lists it and images for other platforms.
        image: The image.
        names: The names that it has there, full ones first.
        others: Those for other platforms, as far as they are there.
    """

    digest: Digest
    document: bytes
    image: SourceImage
    names: tuple[str, ...]
    others: tuple[SourceImage, ...] = ()


@runtime_checkable
class Prefetching(Protocol):
    """An image that may be elsewhere, and can bring several layers at a time."""

    def prefetch(self, numbers: Iterable[int]) -> None:
        """Bring these layers to this machine. Raises as `Image.open_layer` does."""
        ...


@runtime_checkable
class Filed(Protocol):
    """An image of whose layers some are files of a cache of ours, which may be linked to."""

    def layer_file(self, number: int) -> LayerFile | None:
        """The file with the blob of layer `number`; None where there is no such file."""
        ...


@runtime_checkable
class Measured(Protocol):
    """An image that knows how long some of its layers are without compression."""

    def plain_size(self, number: int) -> int | None:
        """Bytes of the tar of layer `number`; None where nobody counted them."""
        ...


def layer_file(image: Image, number: int) -> LayerFile | None:
    """The file of a cache that holds a layer's blob, if there is one."""
    return image.layer_file(number) if isinstance(image, Filed) else None


def prefetch(image: Image, numbers: Iterable[int] | None = None) -> None:
    """Have an image bring layers (None: all) that it would otherwise fetch one by one, when each is opened."""
    if isinstance(image, Prefetching):
        image.prefetch(range(len(image.layers)) if numbers is None else numbers)


def source_image(
    manifest: bytes,
    config: bytes,
    where: str,
    opener: Callable[[Descriptor], BinaryIO],
    bring: Callable[[Sequence[Descriptor]], None] = _nothing,
    *,
    file: Callable[[Descriptor], LayerFile | None] = _no_file,
) -> SourceImage:
    """Put an image together from its documents.

    Raises:
        IntegrityError: They can't be read, or don't belong together.
    """
    listed, settings = parse_manifest(manifest, where), parse_config(config, f"{where}: its configuration")
    if listed.config.digest != Digest.of(config):
        raise IntegrityError("the configuration is not the one that the manifest names", where=where, fix=FIX)
    if len(listed.layers) != len(settings.diff_ids):
        raise IntegrityError(
            f"the manifest has {len(listed.layers)} layers, the configuration {len(settings.diff_ids)}",
            where=where,
            fix=FIX,
        )
    return SourceImage(manifest, config, listed.layers, settings.diff_ids, settings.platform, opener, bring, file)


def find_manifest(
    data: bytes, platform: str, read: Read, where: str, not_for: Callable[[Sequence[str]], Exception]
) -> tuple[bytes, bytes]:
    """The manifest and the configuration for a platform, starting from a manifest or an index.

    Args:
        data: The document to start from.
        platform: `os/architecture`.
        read: Gives further documents.
        where: What `data` is, for messages.
        not_for: Makes the error for when there is none, from the platforms that there are.

    Raises:
        IntegrityError: A document is damaged.
        Exception: What `not_for` made.
    """
    offered: set[str] = set()
    found = _Search(platform, read).below(data, where, offered)
    if found is None:
        raise not_for(sorted(offered))
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    platform: str
    read: Read

    def below(self, data: bytes, where: str, offered: set[str], depth: int = 0) -> tuple[bytes, bytes] | None:
        """Look in a document and those it names; `offered` gets the platforms that were seen."""
        if depth > _DEEPEST:
            raise IntegrityError(f"indexes in indexes, more than {_DEEPEST} deep", where=where, fix=FIX)
        if not is_index(data, where):
            config = self.read(parse_manifest(data, where).config)
            platform = parse_config(config, f"{where}: its configuration").platform
            offered.add(platform)
            return (data, config) if platform == self.platform else None
        entries = parse_index(data, where).entries
        offered.update(str(entry.platform) for entry in entries if _is_named(entry) and entry.platform != self.platform)
        for entry in self._candidates(entries):
            digest = entry.descriptor.digest
            found = self.below(self.read(entry.descriptor), f"{where}: {digest}", offered, depth + 1)
            if found is not None:
                return found
        return None

    def _candidates(self, entries: Sequence[IndexEntry]) -> list[IndexEntry]:
        """Entries that say they are for the platform, else those that say nothing."""
        return [entry for entry in entries if entry.platform == self.platform] or [
            entry for entry in entries if entry.platform is None
        ]


def _is_named(entry: IndexEntry) -> bool:
    """Attestations have the platform `unknown/unknown` (BuildKit, attestation-storage.md)."""
    return entry.platform is not None and "unknown" not in entry.platform
