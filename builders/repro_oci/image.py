"""An assembled image: documents at hand, layers in the cache, the base's layers wherever the base is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.oci.image import Descriptor, Image
from repro.oci.sources import LayerFile, layer_file, prefetch
from repro_oci.cache import CachedLayer


@dataclass(frozen=True, slots=True)
class AssembledImage:
    """The result of the assembler (`repro.oci.image.Image`).

    Attributes:
        manifest: As in `Image`.
        config: As in `Image`.
        layers: As in `Image`.
        diff_ids: As in `Image`.
        platform: As in `Image`.
        base: What lies below our layers.
        own: Our layers, in order.
        names: Their names in the plan.
    """

    manifest: bytes
    config: bytes
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[Digest, ...]
    platform: str
    base: Image
    own: tuple[CachedLayer, ...]
    names: tuple[str, ...]

    @property
    def digest(self) -> Digest:
        """Digest of the manifest: how registries know the image."""
        return Digest.of(self.manifest)

    @property
    def identity(self) -> Digest:
        """Digest of the configuration: the image ID in engines with graph drivers."""
        return Digest.of(self.config)

    def open_layer(self, number: int) -> BinaryIO:
        """The blob of a layer (see `Image.open_layer`)."""
        below = len(self.base.layers)
        if number < below:
            return self.base.open_layer(number)
        layer = self.own[number - below]
        try:
            return layer.path.open("rb")
        except OSError as error:
            raise InfrastructureError(
                f"a layer vanished from the cache: {error.strerror}",
                where=str(layer.path),
                fix="Run the command again.",
            ) from error

    def layer_file(self, number: int) -> LayerFile | None:
        """The cache's file of a layer (`repro.oci.sources.Filed`)."""
        below = len(self.base.layers)
        if number < below:
            return layer_file(self.base, number)
        layer = self.own[number - below]
        return LayerFile(layer.path, hashed=layer.made)

    def plain_size(self, number: int) -> int | None:
        """Bytes of the tar of one of our layers (`repro.oci.sources.Measured`)."""
        below = len(self.base.layers)
        return None if number < below else self.own[number - below].blob.tar_size

    def prefetch(self, numbers: Iterable[int]) -> None:
        """Have the base bring those of its layers, several at a time (`repro.oci.sources.prefetch`)."""
        prefetch_base(self.base, numbers)

    def discard_damaged(self) -> bool:
        """Remove those of our layers from the cache whose bytes are no longer theirs; whether there were any."""
        damaged = [layer for layer in self.own if not _is_whole(layer)]
        for layer in damaged:
            layer.path.unlink(missing_ok=True)
        return bool(damaged)


def prefetch_base(base: Image, numbers: Iterable[int]) -> None:
    """Have a base bring those of an image's layers that are its own: the first ones."""
    below = len(base.layers)
    prefetch(base, [number for number in numbers if number < below])


def _is_whole(layer: CachedLayer) -> bool:
    try:
        return Digest.of_file(layer.path) == layer.blob.digest
    except OSError:
        return False
