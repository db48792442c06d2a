"""The JSON documents of an image, bytes ↔ values: descriptor, manifest, index, configuration. No files, no network."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.image import CONFIG, DOCKER_CONFIG, DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, Descriptor
from repro.oci.nodes import FIX, Node

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of an index entry: the tag that people know it by (image-spec, annotations.md)."""

_SCHEMA = 2


class IndexEntry(NamedTuple):
    """One entry of an index.

    Attributes:
        descriptor: Of a manifest, or of another index.
        platform: `os/architecture`, or None when the entry doesn't say.
        annotations: Its annotations.
    """

    descriptor: Descriptor
    platform: str | None = None
    annotations: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest (image-spec, manifest.md; or Docker's image manifest version 2, schema 2).

    Attributes:
        media_type: `MANIFEST` or `DOCKER_MANIFEST`.
        config: The image configuration.
        layers: The layers, base first.
        annotations: Its annotations.
    """

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Index:
    """An image index (image-spec, image-index.md; or Docker's manifest list).

    Attributes:
        media_type: `INDEX` or `DOCKER_INDEX`.
        entries: In the document's order.
        annotations: Its annotations.
    """

    media_type: str
    entries: tuple[IndexEntry, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Config:
    """What we need of an image configuration (image-spec, config.md).

    Attributes:
        platform: `os/architecture`.
        diff_ids: Digests of the uncompressed layers, base first.
        env: Variables.
        labels: Labels.
    """

    platform: str
    diff_ids: tuple[Digest, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]


def canonical(document: Any) -> bytes:
    """The one form in which we write JSON: keys sorted, nothing between tokens, UTF-8, no end of line.

    Raises ValueError for NaN, infinities and text that is not Unicode: those have no such form.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def descriptor_json(descriptor: Descriptor, platform: str | None = None, annotations: Mapping[str, str] = {}) -> Any:
    """A descriptor as a JSON value (image-spec, descriptor.md); `platform` is `os/architecture`."""
    value: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if platform is not None:
        system, _, machine = platform.partition("/")
        value["platform"] = {"os": system, "architecture": machine}
    if annotations:
        value["annotations"] = dict(annotations)
    return value


def manifest_json(
    config: Descriptor,
    layers: Iterable[Descriptor],
    annotations: Mapping[str, str] = {},
    *,
    media_type: str = MANIFEST,
) -> bytes:
    """The canonical bytes of an image manifest."""
    document = {
        "schemaVersion": _SCHEMA,
        "mediaType": media_type,
        "config": descriptor_json(config),
        "layers": [descriptor_json(layer) for layer in layers],
    }
    return canonical(document | ({"annotations": dict(annotations)} if annotations else {}))


def index_json(
    entries: Sequence[tuple[Descriptor, str | None, Mapping[str, str]]], annotations: Mapping[str, str] = {}
) -> bytes:
    """The canonical bytes of an image index; an entry is an `IndexEntry` or a tuple like it."""
    document = {
        "schemaVersion": _SCHEMA,
        "mediaType": INDEX,
        "manifests": [descriptor_json(*entry) for entry in entries],
    }
    return canonical(document | ({"annotations": dict(annotations)} if annotations else {}))


def is_index(data: bytes, where: str) -> bool:
    """Whether a document is an index (and not an image manifest). Raises IntegrityError when it could be both."""
    root = _root(data, where)
    lists, layers = "manifests" in root.value, "layers" in root.value or "config" in root.value
    if lists and layers:  # two readers could see two different images (CVE-2021-41190)
        raise IntegrityError("the document is an index and an image manifest at once", where=where, fix=FIX)
    return lists


def parse_descriptor(value: Any, where: str) -> Descriptor:
    """Read a descriptor out of a JSON value. Raises IntegrityError; `problems` name the paths below `where`."""
    root = Node(value, "", [])
    found = _descriptor(root)
    root.check("the descriptor is damaged", where)
    return found


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read an image manifest, OCI's or Docker's schema 2.

    Raises:
        IntegrityError: It is none, or layers are to be had elsewhere only (`urls`); `problems` name the paths.
    """
    if is_index(data, where):
        raise IntegrityError("an index of several images where one image's manifest must be", where=where, fix=FIX)
    root = _root(data, where)
    _check_schema(root)
    layers = root.child("layers").items()
    found = Manifest(
        media_type=root.child("mediaType").choice((MANIFEST, DOCKER_MANIFEST), default=MANIFEST),
        config=_descriptor(root.child("config")),
        layers=tuple(_descriptor(layer) for layer in layers),
        annotations=root.child("annotations").texts(),
    )
    for layer in layers:
        if layer.child("urls").value:
            layer.child("urls").fault("a layer that its registry doesn't keep (a foreign layer): it is not fetched")
    if found.config.media_type not in {CONFIG, DOCKER_CONFIG, ""}:
        root.child("config").child("mediaType").fault(f"{found.config.media_type!r} is no image's configuration")
    root.check("not a usable image manifest", where)
    return found


def parse_index(data: bytes, where: str) -> Index:
    """Read an image index or a manifest list. Raises IntegrityError; `problems` name the paths in the document."""
    if not is_index(data, where):
        raise IntegrityError("not an image index: it has no list of manifests", where=where, fix=FIX)
    root = _root(data, where)
    _check_schema(root)
    found = Index(
        media_type=root.child("mediaType").choice((INDEX, DOCKER_INDEX), default=INDEX),
        entries=tuple(_entry(item) for item in root.child("manifests").items()),
        annotations=root.child("annotations").texts(),
    )
    root.check("the image index is damaged", where)
    return found


def parse_config(data: bytes, where: str = "the image configuration") -> Config:
    """Read an image configuration. Raises IntegrityError; `problems` name the paths in the document."""
    root = _root(data, where)
    rootfs, settings = root.child("rootfs"), root.child("config")
    if rootfs.child("type").text() not in {"layers", ""}:
        rootfs.child("type").fault("must be 'layers'")
    found = Config(
        platform=f"{root.child('os').text()}/{root.child('architecture').text()}",
        diff_ids=tuple(item.digest() for item in rootfs.child("diff_ids").items(optional=True)),
        env=dict(_pair(item.text()) for item in settings.child("Env").items(optional=True)),
        labels=settings.child("Labels").texts(),
    )
    root.check("the image configuration is damaged", where)
    return found


def config_diff_ids(config: bytes, where: str = "the image configuration") -> tuple[Digest, ...]:
    """Digests of the uncompressed layers, base first. Raises IntegrityError as `parse_config` does."""
    return parse_config(config, where).diff_ids


def config_platform(config: bytes, where: str = "the image configuration") -> str:
    """`os/architecture`. Raises IntegrityError as `parse_config` does."""
    return parse_config(config, where).platform


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object. Raises IntegrityError when it is none."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"the document is not JSON: {error}", where=where, fix=FIX) from error
    if not isinstance(value, dict):
        raise IntegrityError("the document is not a JSON object", where=where, fix=FIX)
    return value


def _root(data: bytes, where: str) -> Node:
    return Node(parse_object(data, where), "", [])


def _check_schema(root: Node) -> None:
    version = root.child("schemaVersion")
    if version.value != _SCHEMA or isinstance(version.value, bool):
        version.fault(f"must be {_SCHEMA}, not {version.value!r}")


def _descriptor(node: Node) -> Descriptor:
    return Descriptor(node.child("mediaType").text(), node.child("digest").digest(), node.child("size").size())


def _entry(node: Node) -> IndexEntry:
    place = node.child("platform")
    platform = None if place.value is None else f"{place.child('os').text()}/{place.child('architecture').text()}"
    return IndexEntry(_descriptor(node), platform, node.child("annotations").texts())


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")
