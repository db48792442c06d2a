"""An image as engines with graph drivers load it fastest: Docker's `manifest.json` over layers that are unpacked here.

Such an engine unpacks every layer while it reads it, on one core; here that is quicker, and happens beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from repro.digest import Digest
from repro.oci import tar
from repro.oci.archives import MANIFEST_FILE
from repro.oci.blobs import layers
from repro.oci.bodies import Inline
from repro.oci.documents import canonical
from repro.oci.entry import Body, Entry
from repro.oci.image import Image
from repro.oci.sources import plain_size
from repro.oci.streams import open_plain
from repro.oci.write_layout import blob_path

_BLOCK = 1 << 20


def docker_archive(image: Image, first: int) -> Iterator[bytes]:
    """The archive in blocks (Docker image specification v1.2, "Combined Image JSON + Filesystem"), without names.

    Layers are called by their blobs' digests, whatever they hold.

    Args:
        image: What to load.
        first: Number of the first layer to send; the engine has those before it.

    Raises:
        IntegrityError: A layer is not what the image says (while the blocks are taken).
        InfrastructureError: A layer can't be had.
    """
    config = blob_path(Digest.of(image.config))
    names = [blob_path(layer.digest) for layer in image.layers]
    listing = canonical([{"Config": config, "RepoTags": [], "Layers": names}])
    files: dict[str, Body] = {MANIFEST_FILE: Inline(listing), config: Inline(image.config)}
    files |= {names[number]: _body(image, number) for number in range(first, len(names))}
    return tar.stream(Entry(path, "file", 0o644, body) for path, body in files.items())


def sizes(image: Image, first: int) -> int:
    """Bytes of the layers that `docker_archive` sends."""
    return sum(_body(image, number).size for number in range(first, len(image.layers)))


def _body(image: Image, number: int) -> Body:
    size = plain_size(image, number)
    return layers(image)[number] if size is None else _Plain(image, number, size)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A layer's plain tar as a `Body`."""

    image: Image
    number: int
    size: int

    @property
    def sha256(self) -> Digest:
        """Its digest."""
        return self.image.diff_ids[self.number]

    @property
    def deflated(self) -> None:
        """Nothing is deflated."""
        return

    def plain(self) -> Iterator[bytes]:
        """The bytes, in blocks, checked as `open_plain` does."""
        with open_plain(self.image, self.number) as stream:
            while block := stream.read(_BLOCK):
                yield block

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Never asked for: there is no deflate stream."""
        raise TypeError

    def compressed(self) -> Iterator[bytes]:
        """Never asked for: there is no deflate stream."""
        raise TypeError
