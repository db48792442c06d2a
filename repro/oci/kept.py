"""Documents and layers of images in an object store, each under its digest."""

import functools
import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import Descriptor, Image
from repro.oci.sources import LayerFile, SourceImage, find_manifest, prefetch, source_image
from repro.oci.streams import Checked, checked
from repro.store import ObjectStore

_BLOCK = 1 << 20

Bring = Callable[[Sequence[Descriptor]], None]
"""Makes sure that blobs are in the store."""


def stored_image(manifest: bytes, config: bytes, where: str, store: ObjectStore, bring: Bring) -> SourceImage:
    """An image whose layers are in a store, or are brought there when somebody asks for them.

    Raises:
        IntegrityError: The documents can't be read, or don't belong together.
    """
    fetch = functools.partial(_bring, store, bring)
    open_layer, file = functools.partial(_open, store, fetch), functools.partial(_file, store)
    return source_image(manifest, config, where, open_layer, fetch, file=file)


def kept_image(digest: Digest, platform: str, where: str, store: ObjectStore, bring: Bring) -> SourceImage | None:
    """The image for a platform of a manifest or an index in a store; None when documents are missing.

    Raises:
        IntegrityError: A document can't be used, or the image is for other platforms.
    """
    found = kept_documents(digest, platform, where, store)
    return stored_image(*found, where, store, bring) if found else None


def kept_documents(digest: Digest, platform: str, where: str, store: ObjectStore) -> tuple[bytes, bytes] | None:
    """Manifest and configuration as in `kept_image`."""
    try:
        data = _document(store, digest)
        return find_manifest(
            data,
            platform,
            lambda descriptor: _document(store, descriptor.digest),
            where,
            lambda offered: _not_for(where, platform, offered),
        )
    except _MissingError:
        return None


def kept_document(digest: Digest, store: ObjectStore) -> bytes | None:
    """A document, checked; a damaged one is removed, and None given."""
    if not store.has(digest):
        return None
    try:
        return store.checked_path(digest).read_bytes()
    except IntegrityError:
        store.discard(digest)
        return None


def nowhere(layers: Sequence[Descriptor]) -> None:
    """For images that can't be had again from anywhere. Raises InfrastructureError."""
    raise InfrastructureError(
        f"a layer of the base image is no longer in the cache: {layers[0].digest}",
        where="repro.lock: base",
        fix="Name a layout or an archive that holds the base: `repro build --base oci:DIRECTORY`.",
    )


def keep(image: Image, store: ObjectStore) -> None:
    """Copy an image's documents and layers into a store, those that are missing, each checked.

    Raises:
        IntegrityError: A layer isn't what the manifest says; it isn't kept.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    prefetch(image)
    for number, layer in enumerate(image.layers):
        if not is_kept(layer, store):
            where = f"layer {number} ({layer.digest})"
            with checked(image.open_layer(number), layer.digest, layer.size, where) as blob, store.incoming() as new:
                while block := blob.read(_BLOCK):
                    new.write(block)
    for document in (image.config, image.manifest):
        store.add_bytes(document)


def is_kept(blob: Descriptor, store: ObjectStore) -> bool:
    """Whether a blob is in a store, by name and size."""
    try:
        return store.path(blob.digest).stat().st_size == blob.size
    except FileNotFoundError:
        return False


class _MissingError(Exception):
    """Never leaves this module."""


def _document(store: ObjectStore, digest: Digest) -> bytes:
    found = kept_document(digest, store)
    if found is None:
        raise _MissingError
    return found


def _not_for(where: str, platform: str, offered: Sequence[str]) -> IntegrityError:
    return IntegrityError(f"the image is for {', '.join(offered) or 'nothing'}, not for {platform}", where=where)


def _bring(store: ObjectStore, bring: Bring, layers: Sequence[Descriptor]) -> None:
    missing = [layer for layer in layers if not is_kept(layer, store)]
    for layer in missing:
        store.discard(layer.digest)  # of another size: damaged
    if missing:
        bring(missing)


def _open(store: ObjectStore, fetch: Bring, layer: Descriptor) -> BinaryIO:
    fetch([layer])
    return io.BufferedReader(_Kept(store, layer), _BLOCK)


def _file(store: ObjectStore, layer: Descriptor) -> LayerFile | None:
    path = store.path(layer.digest)
    return LayerFile(path) if path.is_file() else None


class _Kept(Checked):
    """A layer of a store that is removed when it turns out to be damaged, so that it can be had again."""

    def __init__(self, store: ObjectStore, layer: Descriptor) -> None:
        self._file = store.path(layer.digest).open("rb")
        super().__init__(self._file, layer.digest, layer.size, f"the cache: layer {layer.digest}")
        self._discard = functools.partial(store.discard, layer.digest)

    def readinto(self, buffer: Any) -> int:
        try:
            return super().readinto(buffer)
        except IntegrityError as error:
            self._file.close()  # Windows doesn't remove what is open
            self._discard()
            raise IntegrityError(
                f"it was damaged in the cache: {error.what}",
                where=error.where,
                fix="Run the command again: the damaged copy is removed.",
            ) from error
