"""Images in the one form that doesn't depend on where they came from: known by configuration, layers as plain tars.

A base that only an engine has is pinned by its image ID. Whether it comes from that engine or from an archive of it,
compressed or not, the manifest made here is the same, and so is that of every image on top of it.
"""

import contextlib
from pathlib import Path

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.files import atomic_write
from repro.oci.documents import manifest_json, parse_config, parse_object
from repro.oci.image import CONFIG, DOCKER_LAYER, LAYER, Descriptor, Image
from repro.oci.kept import kept_document, kept_documents, nowhere, stored_image
from repro.oci.sources import SourceImage
from repro.oci.streams import open_plain
from repro.store import ObjectStore

_BLOCK = 1 << 20


def plain_image(image: SourceImage, store: ObjectStore) -> SourceImage:
    """The same image with plain layers. Layers that are compressed are unpacked into the store, each checked.

    Raises:
        IntegrityError: The image is damaged.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    if all(layer.media_type in {LAYER, DOCKER_LAYER} for layer in image.layers):
        layers = [Descriptor(LAYER, layer.digest, layer.size) for layer in image.layers]
        if tuple(layer.digest for layer in layers) != image.diff_ids:
            raise IntegrityError("the manifest lists other layers than the configuration", where=_where(image.config))
        opener = image.opener
        manifest = _manifest(image.config, layers)
        return SourceImage(manifest, image.config, tuple(layers), image.diff_ids, image.platform, opener, image.bring)
    keep_plain(image, store)
    stored = _stored(image.config, store)
    if stored is None:
        raise InfrastructureError(
            "a layer vanished from the cache", where=_where(image.config), fix="Run the command again."
        )
    return stored


def keep_plain(image: Image, store: ObjectStore) -> None:
    """Put an image's documents and its plain layers into the store. Raises as `plain_image` does."""
    for number, diff_id in enumerate(image.diff_ids):
        if _size(diff_id, store) is None:
            with open_plain(image, number) as stream, store.incoming() as new:
                while block := stream.read(_BLOCK):
                    new.write(block)
            _note_size(diff_id, new.size, store)
    store.add_bytes(image.config)
    store.add_bytes(image.manifest)


def kept_plain(digest: Digest, platform: str, store: ObjectStore) -> SourceImage | None:
    """The image that an engine knows by this ID, when all of it is in the store; else None.

    An engine with Docker's own stores calls an image by its configuration, one with containerd's by its manifest or
    index.

    Raises:
        IntegrityError: A document can't be used, or the image is for other platforms.
    """
    config = kept_config(digest, platform, store)
    return None if config is None else _stored(config, store)


def kept_config(digest: Digest, platform: str, store: ObjectStore) -> bytes | None:
    """The configuration of the image with this ID, or of this manifest or index, when the store has the documents.

    Raises:
        IntegrityError: A document can't be used, or the image is for other platforms.
    """
    config = kept_document(digest, store)
    if config is None:
        return None
    if "rootfs" not in parse_object(config, str(digest)):
        found = kept_documents(digest, platform, str(digest), store)
        if found is None:
            return None
        _, config = found
    settings = parse_config(config)
    if settings.platform != platform:
        raise IntegrityError(f"the image is for {settings.platform}, not for {platform}", where=str(digest))
    return config


def _stored(config: bytes, store: ObjectStore) -> SourceImage | None:
    layers = []
    for diff_id in parse_config(config).diff_ids:
        size = _size(diff_id, store)
        if size is None:
            return None
        layers.append(Descriptor(LAYER, diff_id, size))
    return stored_image(_manifest(config, layers), config, _where(config), store, nowhere)


def _size(diff_id: Digest, store: ObjectStore) -> int | None:
    """Bytes of a whole layer; None when it is missing, or was damaged and is removed.

    A file that has another size than was noted, or of which none was noted, is hashed: it may be cut off.
    """
    path = store.path(diff_id)
    with contextlib.suppress(OSError, ValueError):
        size = path.stat().st_size
        if size == int(_note(diff_id, store).read_bytes()):
            return size
    try:
        size = store.checked_path(diff_id).stat().st_size
    except (IntegrityError, FileNotFoundError):
        store.discard(diff_id)
        return None
    _note_size(diff_id, size, store)
    return size


def _note_size(diff_id: Digest, size: int, store: ObjectStore) -> None:
    with contextlib.suppress(InfrastructureError):  # a cache that only others may write to
        atomic_write(_note(diff_id, store), str(size).encode(), durable=False)


def _note(diff_id: Digest, store: ObjectStore) -> Path:
    return store.directory / "sizes" / diff_id.hex


def _manifest(config: bytes, layers: list[Descriptor]) -> bytes:
    return manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), layers)


def _where(config: bytes) -> str:
    return f"image {Digest.of(config)}"
