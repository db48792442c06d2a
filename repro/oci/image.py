"""An image at hand, wherever its bytes are: the one thing that sources give and destinations take."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol

from repro.digest import Digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = LAYER + "+gzip"
LAYER_ZSTD = LAYER + "+zstd"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
"""Media types (image-spec, media-types.md) and those of Docker's schema 2, which registries still serve."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content (image-spec, descriptor.md).

    Attributes:
        media_type: What it is.
        digest: sha256 of its bytes.
        size: Their number.
    """

    media_type: str
    digest: Digest
    size: int


class Image(Protocol):
    """One image for one platform. Its documents are exact bytes; its layers are opened only when somebody asks.

    Attributes:
        manifest: The image manifest's bytes; their sha256 is the image digest.
        config: The configuration's bytes; their sha256 is the image ID in graph-driver engines.
        layers: Descriptors of the layers, base first, as the manifest lists them.
        diff_ids: Digests of the uncompressed layers, in the same order.
        platform: `os/architecture`.
    """

    @property
    def manifest(self) -> bytes:
        """See above."""
        ...

    @property
    def config(self) -> bytes:
        """See above."""
        ...

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """See above."""
        ...

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """See above."""
        ...

    @property
    def platform(self) -> str:
        """See above."""
        ...

    def open_layer(self, number: int) -> BinaryIO:
        """The blob of layer `number` (from 0), as it is in the manifest: compressed or not. Caller closes it.

        What comes may be unchecked: whoever passes it on hashes it on the way (`repro.oci.streams.Checked`).
        Raises InfrastructureError when it can't be had, IntegrityError when it is known to be damaged.
        """
        ...
