"""Recompute everything that an image claims: digests, sizes, counts, platforms, the shape of its layers.

Problems are data, all of them at once; nothing is raised for an image that is wrong. Where images are is
`repro.oci.validate_layout` and `repro.transfer.validate`.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

from repro.digest import Digest
from repro.errors import IntegrityError, ReproError
from repro.oci.documents import Config, Manifest, parse_config, parse_manifest, parse_object
from repro.oci.image import CONFIG, DOCKER_CONFIG, DOCKER_MANIFEST, Descriptor, Image
from repro.oci.layer_facts import LayerFacts, layer_facts
from repro.oci.streams import open_plain

_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an image.

    Attributes:
        severity: A "problem" makes the image invalid, a "note" doesn't.
        where: What it is about.
        what: What was found.
    """

    severity: Literal["problem", "note"]
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer.

    Attributes:
        descriptor: As the manifest has it.
        diff_id: As the configuration has it; None when it has too few.
        facts: What is in it; None when that can't be read.
    """

    descriptor: Descriptor
    diff_id: Digest | None
    facts: LayerFacts | None


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image.

    Attributes:
        digest: Of its manifest.
        config: Of its configuration.
        platform: `os/architecture`, as its configuration says.
        layers: Base first.
        names: Under which it was found.
    """

    digest: Digest
    config: Digest
    platform: str
    layers: tuple[LayerReport, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what is to be said of it.

    Attributes:
        images: Those that could be read.
        findings: Problems and notes.
    """

    images: tuple[ImageReport, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Only the problems."""
        return tuple(finding for finding in self.findings if finding.severity == "problem")

    def __add__(self, other: "Report") -> "Report":
        found: dict[Digest, ImageReport] = {}
        for image in (*self.images, *other.images):
            names = found[image.digest].names if image.digest in found else ()
            found[image.digest] = replace(image, names=tuple(dict.fromkeys((*names, *image.names))))
        return Report(tuple(found.values()), tuple(dict.fromkeys((*self.findings, *other.findings))))


def validate(image: Image, *, claims: Mapping[str, str] = {}) -> Report:
    """Read all of an image and check everything in it.

    Args:
        image: The image.
        claims: Paths of files in the image (relative to `/`), by the label that claims to be their digest.

    Raises:
        InfrastructureError: Its bytes can't be had.
    """
    digest, config_digest = Digest.of(image.manifest), Digest.of(image.config)
    try:
        manifest = parse_manifest(image.manifest, f"manifest {digest.short}")
        config = parse_config(image.config, f"configuration {config_digest.short}")
    except IntegrityError as error:
        return Report(findings=tuple(problems(error)))
    with ThreadPoolExecutor(_WORKERS, "validate") as pool:
        read = list(pool.map(lambda number: _layer(image, number, claims.values()), range(len(image.layers))))
    layers = tuple(layer for layer, _ in read)
    findings = [
        *_documents(image, manifest, config),
        *_history(image.config, len(image.layers)),
        *(finding for _, found in read for finding in found),
        *_hidden_links(layers),
        *_claims(config, layers, claims),
    ]
    return Report((ImageReport(digest, config_digest, config.platform, layers),), tuple(findings))


def problems(error: ReproError) -> Iterator[Finding]:
    """An error as problems."""
    for problem in error.problems or ("",):
        yield Finding("problem", error.where or "", f"{error.what}: {problem}" if problem else error.what)


def _documents(image: Image, manifest: Manifest, config: Config) -> Iterator[Finding]:
    where = f"manifest {Digest.of(image.manifest).short}"
    stated = manifest.config
    if (stated.digest, stated.size) != (Digest.of(image.config), len(image.config)):
        found = f"{Digest.of(image.config)}, {len(image.config)} bytes"
        yield Finding("problem", where, f"names the configuration {stated.digest}, {stated.size} bytes; it is {found}")
    if len(manifest.layers) != len(config.diff_ids):
        what = f"layers listed: {len(manifest.layers)}; diff_ids in the configuration: {len(config.diff_ids)}"
        yield Finding("problem", where, what)
    if (manifest.layers, config.diff_ids, config.platform) != (image.layers, image.diff_ids, image.platform):
        yield Finding("problem", where, "is listed with other layers or another platform than it has")
    yield from _media_types(manifest, where)


def _media_types(manifest: Manifest, where: str) -> Iterator[Finding]:
    in_docker = manifest.media_type == DOCKER_MANIFEST
    kind = DOCKER_CONFIG if in_docker else CONFIG
    if manifest.config.media_type != kind:
        yield Finding("problem", where, f"has a configuration of the kind {manifest.config.media_type!r}, not {kind}")
    others = {
        layer.media_type
        for layer in manifest.layers
        if layer.media_type.startswith("application/vnd.docker.") != in_docker
    }
    for other in sorted(others):
        yield Finding("note", where, f"mixes the media types of Docker and OCI: {other}")


def _history(config: bytes, layers: int) -> Iterator[Finding]:
    """A history, where there is one, has an entry for each layer (image-spec, config.md)."""
    history: Any = parse_object(config, "").get("history")
    if history is None:
        return
    where = f"configuration {Digest.of(config).short}"
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        yield Finding("problem", where, "its history is no list of entries")
        return
    filled = sum(not entry.get("empty_layer") for entry in history)
    if filled != layers:
        yield Finding("problem", where, f"layers in its history: {filled}; in the image: {layers}")


def _layer(image: Image, number: int, wanted: Iterable[str]) -> tuple[LayerReport, list[Finding]]:
    """Read one layer."""
    descriptor, where = image.layers[number], f"layer {number} ({image.layers[number].digest.short})"
    diff_id = image.diff_ids[number] if number < len(image.diff_ids) else None
    if diff_id is None:
        return LayerReport(descriptor, None, None), [Finding("problem", where, "has no diff_id, it was not read")]
    try:
        with open_plain(image, number) as stream:
            facts = layer_facts(stream, frozenset(wanted))
    except IntegrityError as error:
        return LayerReport(descriptor, diff_id, None), [
            Finding("problem", where, finding.what) for finding in problems(error)
        ]
    found = [Finding("problem", where, fault) for fault in facts.faults]
    return LayerReport(descriptor, diff_id, facts), found + [Finding("note", where, text) for text in _remarks(facts)]


def _remarks(facts: LayerFacts) -> Iterator[str]:
    yield from facts.remarks
    if facts.kinds.get("devices"):
        yield f"has devices: {facts.kinds['devices']}"
    if facts.privileged:
        yield f"has files with the set-user-ID or set-group-ID bit: {', '.join(facts.privileged)}"
    if facts.xattrs:
        yield f"has entries with extended attributes: {facts.xattrs}"


def _hidden_links(layers: tuple[LayerReport, ...]) -> Iterator[Finding]:
    """A directory in place of a symbolic link of a layer below: legal, but it usually was not meant so (`/lib`)."""
    links: dict[str, int] = {}
    for number, layer in enumerate(layers):
        facts = layer.facts or LayerFacts()
        for path in sorted(facts.directories & links.keys()):
            where = f"layer {number} ({layer.descriptor.digest.short})"
            yield Finding("note", where, f"has a directory where layer {links.pop(path)} has a symbolic link: {path}")
        links.update(dict.fromkeys(facts.symlinks, number))


def _claims(config: Config, layers: tuple[LayerReport, ...], claims: Mapping[str, str]) -> Iterator[Finding]:
    files: dict[str, Digest] = {}
    for layer in layers:
        files.update((layer.facts or LayerFacts()).digests)
    for label, path in claims.items():
        stated, found = config.labels.get(label), files.get(path)
        if stated is not None and stated != str(found):
            yield Finding("problem", f"label {label}", f"says {stated}, /{path} is {found or 'not there'}")
