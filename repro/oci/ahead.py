"""Files of a cache that are hashed in the background, because they will be linked to when other work is done."""

import threading
from concurrent.futures import Future
from dataclasses import replace

from repro.digest import Digest
from repro.oci.image import Descriptor, Image
from repro.oci.sources import LayerFile, SourceImage


def hash_ahead(image: Image) -> Image:
    """The same image, the files of whose layers are being hashed from now on.

    Whoever asks for one of them (`repro.oci.sources.layer_file`) waits until it has been. Nobody has to: the thread
    ends with the process.
    """
    if not isinstance(image, SourceImage):
        return image
    found = {layer: file for layer in image.layers if (file := image.file(layer)) is not None}
    ahead = _Ahead(found)
    threading.Thread(target=ahead.hash_all, name="hash-ahead", daemon=True).start()
    return replace(image, file=ahead.file)


class _Ahead:
    def __init__(self, files: dict[Descriptor, LayerFile]) -> None:
        self._files = files
        self._hashed: dict[Descriptor, Future[bool]] = {layer: Future() for layer in files}

    def hash_all(self) -> None:
        for layer, file in self._files.items():
            self._hashed[layer].set_result(_holds(file, layer))

    def file(self, layer: Descriptor) -> LayerFile | None:
        if layer not in self._files:
            return None
        return replace(self._files[layer], hashed=self._hashed[layer].result())


def _holds(file: LayerFile, layer: Descriptor) -> bool:
    """Whether a file holds a blob; one that can't be read does not, as whoever reads it next will find."""
    try:
        return Digest.of_file(file.path) == layer.digest
    except OSError:
        return False
