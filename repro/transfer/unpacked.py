"""An image that is decompressed while it is read, for readers that would take longer."""

from typing import BinaryIO

from repro.digest import Digest
from repro.oci.documents import manifest_json
from repro.oci.image import CONFIG, LAYER, Descriptor, Image
from repro.oci.sources import Measured, SourceImage, prefetch
from repro.oci.streams import open_unpacked


def unpacked_image(image: Image) -> Image:
    """The same image with plain layers where it knows their length, under another manifest; the others stay.

    Its blobs are checked when they are opened, like any other's; reading one raises as `open_unpacked` does.
    """
    if not isinstance(image, Measured):
        return image
    sizes = [image.plain_size(number) for number in range(len(image.layers))]
    layers = tuple(
        layer if size is None else Descriptor(LAYER, diff_id, size)
        for layer, diff_id, size in zip(image.layers, image.diff_ids, sizes, strict=True)
    )
    numbers = {layer: number for number, layer in enumerate(layers)}

    def opened(layer: Descriptor) -> BinaryIO:
        number = numbers[layer]
        return image.open_layer(number) if layer == image.layers[number] else open_unpacked(image, number)

    return SourceImage(
        manifest_json(Descriptor(CONFIG, Digest.of(image.config), len(image.config)), layers),
        image.config,
        layers,
        image.diff_ids,
        image.platform,
        opened,
        lambda wanted: prefetch(image, [numbers[layer] for layer in wanted]),
    )
