"""An image of a registry as an `Image`: documents at once, layers when somebody asks for them, all kept in a store."""

import functools
from collections.abc import Callable

from repro.digest import Digest
from repro.oci.image import Descriptor
from repro.oci.kept import kept_document, stored_image
from repro.oci.sources import SourceImage, find_manifest
from repro.progress import Progress
from repro.registry.client import Registry
from repro.registry.download import download
from repro.registry.failures import not_for
from repro.registry.names import ImageName
from repro.store import ObjectStore


def registry_image(
    registry: Registry, name: ImageName, digest: Digest, platform: str, *, store: ObjectStore, progress: Progress
) -> SourceImage:
    """The image for a platform of the manifest or index with a digest; what the store has isn't asked for again.

    Args:
        registry: The client.
        name: The repository; its tag doesn't matter.
        digest: Of a manifest or an index.
        platform: `os/architecture`.
        store: Keeps documents and layers.
        progress: Told of downloads.

    Raises:
        NotFoundError: There is no such image, or none for the platform.
        IntegrityError: Something that came isn't what its digest says, or can't be used.
        InfrastructureError: The registry can't be reached, or refuses us.
    """
    name = name.at(digest)
    data = _kept(store, digest, lambda: registry.manifest(name, digest))
    read = functools.partial(_document, registry, name, store)
    manifest, config = find_manifest(data, platform, read, str(name), functools.partial(not_for, name, platform))
    bring = functools.partial(download, registry, name, store=store, progress=progress)
    return stored_image(manifest, config, str(name), store, bring)


def _document(registry: Registry, name: ImageName, store: ObjectStore, descriptor: Descriptor) -> bytes:
    return _kept(store, descriptor.digest, lambda: registry.document(name, descriptor))


def _kept(store: ObjectStore, digest: Digest, fetch: Callable[[], bytes]) -> bytes:
    """A document from the store, else fetched and kept there; a damaged one is replaced."""
    data = kept_document(digest, store)
    if data is None:
        data = fetch()
        store.add_bytes(data)
    return data
