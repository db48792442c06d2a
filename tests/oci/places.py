"""Layouts and archives of images as other programs write them, made by hand so that they can also be wrong."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.digest import Digest
from repro.oci.documents import descriptor_json, index_json
from repro.oci.image import INDEX, MANIFEST, Descriptor
from tests.oci.forged import Forged

REF_NAME = "org.opencontainers.image.ref.name"


def manifest(image: Forged) -> Descriptor:
    return Descriptor(MANIFEST, image.digest, len(image.manifest))


def index(images: Sequence[Forged], platforms: Sequence[str | None] | None = None) -> bytes:
    named = [image.platform for image in images] if platforms is None else platforms
    return index_json([(manifest(image), place, {}) for image, place in zip(images, named, strict=True)])


def index_descriptor(data: bytes) -> Descriptor:
    return Descriptor(INDEX, Digest.of(data), len(data))


def entry(what: Descriptor, name: str | None = None, platform: str | None = None, key: str = REF_NAME) -> Any:
    return descriptor_json(what, platform, {} if name is None else {key: name})


def layout_files(entries: Sequence[Any], images: Sequence[Forged], documents: Sequence[bytes] = ()) -> dict[str, bytes]:
    """The files of a layout that has these entries, images and further documents."""
    every = [*documents, *(blob for image in images for blob in (image.manifest, image.config, *image.blobs))]
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": list(entries)}).encode(),
        **{f"blobs/sha256/{Digest.of(blob).hex}": blob for blob in every},
    }


def docker_files(images: Mapping[str, Forged]) -> dict[str, bytes]:
    """The files of a `docker save` archive, as engines before version 25 write them."""
    files: dict[str, bytes] = {}
    listed = []
    for tag, image in images.items():
        config = f"{Digest.of(image.config).hex}.json"
        layers = [f"{number}{diff_id.hex[1:]}/layer.tar" for number, diff_id in enumerate(image.diff_ids)]
        for path, blob in zip(layers, image.blobs, strict=True):
            files[path.replace("layer.tar", "VERSION")] = b"1.0"
            files[path] = blob
        files[config] = image.config
        listed.append({"Config": config, "RepoTags": [tag] if tag else None, "Layers": layers})
    return {**files, "manifest.json": json.dumps(listed).encode()}


def write_folder(directory: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, prefix: str = "") -> bytes:
    """A tar of files and symbolic links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(prefix + name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()
