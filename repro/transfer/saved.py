"""An engine's image as an `Image`: saved once, its layers kept in a store as plain tars under their diff_ids."""

import io
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.engines.archive import open_archive
from repro.engines.failures import closing_responses, engine_errors
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.archives import DockerArchive, is_layout
from repro.oci.layouts import Layout
from repro.oci.sources import SourceImage
from repro.oci.streams import magic
from repro.oci.tar_files import follow, link_target
from repro.progress import Progress, Task
from repro.store import ObjectStore
from repro.transfer.plain import keep_plain, kept_plain

_SMALL = 1 << 20
"""Up to this size, a file of the archive is held in memory: documents are, and are no use as objects of their own."""
_BLOCK = 1 << 20
_START = 4


def saved_image(
    engine: DockerEngine,
    digest: Digest,
    platform: str,
    *,
    store: ObjectStore,
    progress: Progress,
    what: str = "the base image",
) -> SourceImage:
    """The image with an ID, from the store, else from the engine; what the engine sends is checked.

    Args:
        engine: The engine.
        digest: The image ID.
        platform: `os/architecture`.
        store: Keeps configuration and layers.
        progress: Told of bytes.
        what: What the image is to the person, for messages.

    Raises:
        InfrastructureError: The engine has no such image, or fails.
        IntegrityError: What it sends is damaged, is not that image, or is for another platform.
    """
    found = kept_plain(digest, platform, store)
    if found is None:
        _save(engine, digest, platform, store, progress, what=what)
        found = kept_plain(digest, platform, store)
    if found is None:
        raise InfrastructureError(f"{what} vanished while it was read", where=str(digest), fix="Run the command again.")
    return found


def _save(
    engine: DockerEngine, digest: Digest, platform: str, store: ObjectStore, progress: Progress, *, what: str
) -> None:
    info = engine.image(str(digest))
    if info is None:
        raise InfrastructureError(f"the engine has no image {digest}")
    task = progress.start(f"reading {what} out of the engine", info.size, "bytes")
    api = engine.client.api
    with closing_responses(api), engine_errors("save an image", str(digest)):
        chunks: Iterable[bytes] = api.get_image(str(digest))
        with open_archive(_counted(chunks, task)) as archive:
            files = _received(archive, store)
    task.finish(f"read {what} out of the engine")
    layout = Layout(files) if is_layout(files) else None
    image = (layout or DockerArchive(files)).with_digest(digest, platform)
    if image is None:
        raise IntegrityError(f"what the engine sent is not {digest}", where="the container engine")
    keep_plain(image, store)
    document = layout.document(digest) if layout else None
    if document is not None:  # an index: by it the image is found again
        store.add_bytes(document)


@dataclass(frozen=True, slots=True)
class _Saved:
    """The files of a saved archive (`repro.oci.archives.ArchiveFiles`)."""

    store: ObjectStore
    small: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, Digest] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return "the image that the engine sent"

    def size(self, path: str) -> int | None:
        place = follow(path, self.links)
        if place in self.small:
            return len(self.small[place])
        return self.store.path(self.large[place]).stat().st_size if place in self.large else None

    def compression(self, path: str) -> str:
        with self.open(path) as stream:
            return magic(stream.read(_START))

    def open(self, path: str) -> BinaryIO:
        place = follow(path, self.links)
        if place in self.small:
            return io.BytesIO(self.small[place])
        return self.store.path(self.large[place]).open("rb")


def _received(archive: tarfile.TarFile, store: ObjectStore) -> _Saved:
    """Everything that comes: small files into memory, large ones into the store."""
    found = _Saved(store)
    for member in archive:
        name = posixpath.normpath(member.name)
        content = archive.extractfile(member) if member.isreg() else None
        target = link_target(member)
        if target is not None:
            found.links[name] = target
        elif content is not None and member.size <= _SMALL:
            found.small[name] = content.read()
        elif content is not None:
            with store.incoming() as new:
                while block := content.read(_BLOCK):
                    new.write(block)
            found.large[name] = new.digest
    return found


def _counted(chunks: Iterable[bytes], task: Task) -> Iterator[bytes]:
    for chunk in chunks:
        task.advance(len(chunk))
        yield chunk
