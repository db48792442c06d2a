"""What an image is made of when it is stored: its blobs, each checked while it is read, and its entries in an index.

Where they go is `write_layout`, `write_archive` and `repro.transfer`.
"""

import functools
import io
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.files import atomic_file, link_file, sync
from repro.oci.documents import index_json, parse_manifest
from repro.oci.image import INDEX, Descriptor, Image
from repro.oci.sources import LayerFile, layer_file, prefetch
from repro.oci.streams import checked

_BLOCK = 1 << 20
_WRITERS = 4
_LINKS = os.name == "posix"  # on Windows, a link to a read-only file can't be removed
_MODE = 0o444 if _LINKS else 0o644
"""Read-only, whether it is a link to the cache or a file of its own."""


def _no_file() -> None:
    """They are in no file."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that something else refers to by their digest. As a `Body` they can go into an archive as they are.

    Attributes:
        descriptor: What they are, their digest and number.
        open: Begins to read them; nothing is opened before.
        file: Gives the file of a cache of ours that holds them, or None.
    """

    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    file: Callable[[], LayerFile | None] = _no_file

    @property
    def size(self) -> int:
        """Their number."""
        return self.descriptor.size

    @property
    def sha256(self) -> Digest:
        """Their digest."""
        return self.descriptor.digest

    @property
    def deflated(self) -> None:
        """Nothing is deflated again."""
        return

    def plain(self) -> Iterator[bytes]:
        """The bytes, in blocks.

        Raises:
            IntegrityError: They are not what the descriptor says; raised before the last block is given.
            InfrastructureError: They can't be had (see `Image.open_layer`).
        """
        with checked(self.open(), self.sha256, self.size, f"the blob {self.sha256}") as stream:
            block = stream.read(_BLOCK)
            while block:
                following = stream.read(_BLOCK)
                yield block
                block = following

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Never asked for: there is no deflate stream."""
        raise TypeError("a blob has no deflate stream of its own")

    def compressed(self) -> Iterator[bytes]:
        """Never asked for: there is no deflate stream."""
        raise TypeError("a blob has no deflate stream of its own")


@dataclass(frozen=True, slots=True)
class Stored:
    """One image, or several for as many platforms, ready to be stored under one name.

    Attributes:
        root: Descriptor of the manifest, or of the index where there are several images.
        platform: Of the only image; None for an index.
        blobs: Each once: documents that refer to others first, then configurations, then layers base first.
    """

    root: Descriptor
    platform: str | None
    blobs: tuple[Blob, ...]


def stored(images: Sequence[Image]) -> Stored:
    """Collect what has to be stored.

    Raises:
        UsageError: There is no image, or two for one platform.
        IntegrityError: A manifest does not fit the image that it belongs to.
    """
    if not images:
        raise UsageError("there is no image to write")
    found = {image.platform: _manifest(image) for image in images}
    if len(found) < len(images):
        raise UsageError("two images for the same platform", where=", ".join(image.platform for image in images))
    manifests = list(found.values())
    documents = [manifest for manifest, _ in manifests]
    root, platform = documents[0].descriptor, images[0].platform if len(images) == 1 else None
    if platform is None:
        index = index_json([(blob.descriptor, name, {}) for name, (blob, _) in found.items()])
        documents.insert(0, _document(INDEX, index))
        root = documents[0].descriptor
    configs = [config for _, config in manifests]
    every = [*documents, *configs, *(layer for image in images for layer in layers(image))]
    return Stored(root, platform, tuple({blob.descriptor.digest: blob for blob in every}.values()))


def layers(image: Image) -> tuple[Blob, ...]:
    """The layers of an image, base first."""
    return tuple(
        Blob(descriptor, functools.partial(image.open_layer, number), functools.partial(layer_file, image, number))
        for number, descriptor in enumerate(image.layers)
    )


def bring(images: Iterable[Image], digests: Collection[Digest]) -> None:
    """Have images bring those of their layers with these digests to this machine, several at a time.

    Raises as `Image.open_layer` does.
    """
    for image in images:
        prefetch(image, [number for number, layer in enumerate(image.layers) if layer.digest in digests])


def entries(
    what: Stored, annotations: Sequence[Mapping[str, str]]
) -> list[tuple[Descriptor, str | None, Mapping[str, str]]]:
    """Entries of an index for `what`: one for each set of annotations (or one without), as `index_json` takes them."""
    return [(what.root, what.platform, one) for one in annotations or ({},)]


def _manifest(image: Image) -> tuple[Blob, Blob]:
    """The manifest and the configuration of an image."""
    where = f"the manifest of the image for {image.platform}"
    manifest = parse_manifest(image.manifest, where)
    if manifest.config.digest != Digest.of(image.config) or manifest.layers != image.layers:
        raise IntegrityError(
            "the manifest names another configuration, or other layers, than the image has", where=where
        )
    return _document(manifest.media_type, image.manifest), _document(manifest.config.media_type, image.config)


def _document(media_type: str, data: bytes) -> Blob:
    return Blob(Descriptor(media_type, Digest.of(data), len(data)), functools.partial(io.BytesIO, data))


class _StoppedError(Exception):
    """Ends the other writers when one failed; never leaves this module."""


def write_blobs(blobs: Sequence[Blob], paths: Sequence[Path]) -> None:
    """Write each blob to its path, which appears whole or not at all.

    Blobs in files of a cache become links to these, where the file system has links: read-only, like the cache's own.
    Several are written at a time, since hashing, writing and waiting for the disk need no interpreter.

    Raises:
        IntegrityError: A blob is not what its descriptor says.
        InfrastructureError: It can't be had, or the disk refuses.
    """
    stopped = threading.Event()

    def write(blob: Blob, path: Path) -> None:
        if not _linked(blob, path):
            with atomic_file(path, _MODE, durable=False) as stream:
                for block in blob.plain():
                    if stopped.is_set():
                        raise _StoppedError
                    stream.write(block)
        sync(path)

    with ThreadPoolExecutor(_WRITERS, "layout") as pool:
        writing = [pool.submit(write, *pair) for pair in zip(blobs, paths, strict=True)]
        try:
            for one in as_completed(writing):
                one.result()
        except BaseException:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    for folder in {path.parent for path in paths}:
        sync(folder)


def _linked(blob: Blob, path: Path) -> bool:
    """Make `path` another name of the file that holds a blob, if that can be and its content is right."""
    file = blob.file() if _LINKS else None
    try:
        if file is None or not (file.hashed or Digest.of_file(file.path) == blob.sha256):
            return False
        link_file(file.path, path)
    except OSError:
        return False
    return True
