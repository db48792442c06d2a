"""Images as one tar that old and new engines load: an OCI layout and Docker's `manifest.json` over the same blobs.

Docker before 25 and Podman's `docker-archive:` read `manifest.json`; later ones, and `oci-archive:`, `index.json`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import UsageError
from repro.files import atomic_file
from repro.oci import tar
from repro.oci.archives import MANIFEST_FILE
from repro.oci.blobs import bring, entries, stored
from repro.oci.bodies import Inline
from repro.oci.documents import REF_NAME, canonical, index_json
from repro.oci.entry import Body, Entry
from repro.oci.image import Image
from repro.oci.layouts import INDEX_FILE, LAYOUT_FILE
from repro.oci.write_layout import LAYOUT, blob_path

_CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation by which containerd, and Docker where it stores images in it, names what it loads."""
_NAMED = re.compile(r"(?P<name>[^@]+):(?P<tag>[\w][\w.-]{0,127})", re.ASCII)


def write_archive(images: Sequence[Image], target: Path | BinaryIO, *, references: Sequence[str]) -> Digest:
    """Write an image, or one for each of several platforms, to a file (all of it or nothing) or to a stream.

    The bytes depend on nothing but images and references. `manifest.json` has no platforms: there, only the first image
    bears the names.

    Args:
        images: What to write.
        target: A path, replaced at once when everything is there; or a stream.
        references: Names with tags, such as `churn:1.2`.

    Returns:
        The digest of the manifest, or of the index of several platforms.

    Raises:
        UsageError: A reference has no tag, or two images are for the same platform.
        IntegrityError: An image is not what its manifest says.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    what = stored(images)
    blocks = archive(images, references=references)
    if isinstance(target, Path):
        with atomic_file(target) as stream:
            stream.writelines(blocks)
    else:
        target.writelines(blocks)
    return what.root.digest


def archive(
    images: Sequence[Image], *, references: Sequence[str], without: frozenset[Digest] = frozenset()
) -> Iterator[bytes]:
    """The archive in blocks. Raises as `write_archive` does, some of it while the blocks are taken.

    Args:
        images: What to write.
        references: Names with tags.
        without: Blobs to leave out although they are listed, because the reader has them.
    """
    what = stored(images)
    names = tuple(dict.fromkeys(references))
    annotations = [{_CONTAINERD_NAME: _full(name), REF_NAME: name} for name in names]
    blobs = [blob for blob in what.blobs if blob.sha256 not in without]
    bring(images, {blob.sha256 for blob in blobs})
    files: dict[str, Body] = {
        LAYOUT_FILE: Inline(LAYOUT),
        INDEX_FILE: Inline(index_json(entries(what, annotations))),
        MANIFEST_FILE: Inline(_docker_manifest(images, names)),
        **{blob_path(blob.sha256): blob for blob in blobs},
    }
    return tar.stream(Entry(path, "file", 0o644, body) for path, body in files.items())


def _docker_manifest(images: Sequence[Image], names: Sequence[str]) -> bytes:
    """Docker's list of what is in an archive (Docker image specification v1.2, "Combined Image JSON + Filesystem")."""
    return canonical(
        [
            {
                "Config": blob_path(Digest.of(image.config)),
                "RepoTags": [] if number else list(names),
                "Layers": [blob_path(layer.digest) for layer in image.layers],
            }
            for number, image in enumerate(images)
        ]
    )


def _full(reference: str) -> str:
    """A reference with its registry, as containerd knows images (distribution's reference grammar)."""
    found = _NAMED.fullmatch(reference)
    if found is None:
        raise UsageError(
            "not a name with a tag",
            where=reference,
            fix="Write it as name:tag, such as churn:1.2; digests can't be given.",
        )
    first, slash, _ = found["name"].partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
