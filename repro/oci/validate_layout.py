"""Check a whole layout, in a directory or a tar: everything that its index leads to, and what `manifest.json` says."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.oci.archives import MANIFEST_FILE, ArchiveFiles, DockerArchive
from repro.oci.documents import (
    REF_NAME,
    IndexEntry,
    is_index,
    parse_config,
    parse_index,
    parse_manifest,
    parse_object,
)
from repro.oci.image import CONFIG, DOCKER_CONFIG, Descriptor
from repro.oci.layouts import INDEX_FILE, Files, Layout, read_document
from repro.oci.sources import SourceImage
from repro.oci.validate import Finding, Report, problems, validate
from repro.oci.write_layout import blob_path

_NAMES = ("io.containerd.image.name", REF_NAME)
_DEEPEST = 4
_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")
_DIGEST = re.compile(r"(?:^|/)([0-9a-f]{64})(?:\.json)?$")


def validate_layout(files: Files, reference: str | None, claims: Mapping[str, str]) -> Report:
    """Check the images of a layout.

    Args:
        files: The layout.
        reference: The name of one image, or `@sha256:…`; None for all.
        claims: As for `validate`.

    Raises:
        UsageError: It is no layout, or has no such image.
        IntegrityError: Its index can't be read.
        InfrastructureError: It can't be read.
    """
    Layout(files)  # refuses what is none
    entries = parse_index(read_document(files, INDEX_FILE), f"{files.where}: {INDEX_FILE}").entries
    chosen = [entry for entry in entries if reference is None or reference in _called(entry)]
    if reference is not None and not chosen:
        names = sorted({name for entry in entries for name in _called(entry)})
        raise UsageError(f"there is no image {reference}", where=files.where, fix=f"Name one of: {', '.join(names)}.")
    walk = _Walk(files, claims)
    for entry in chosen:
        walk.entry(entry, tuple(entry.annotations[key] for key in _NAMES if key in entry.annotations))
    if not walk.report.images and not walk.report.findings:
        raise UsageError("there is no image in it", where=files.where)
    return walk.report


def validate_docker_archive(files: ArchiveFiles, reference: str | None, claims: Mapping[str, str]) -> Report:
    """Check the images that `manifest.json` lists; arguments and errors as for `validate_layout`."""
    archive = DockerArchive(files)
    found = archive.every(reference)
    if not found:
        raise UsageError(f"there is no image {reference}", where=files.where, fix=f"Name one of: {archive.offered()}.")
    total = Report()
    for tags, image in found:
        total += _with_names(validate(image, claims=claims), tags)
    return total + Report(findings=tuple(_misnamed(files, [image for _, image in found])))


def compare_lists(files: ArchiveFiles, layout: Report) -> Report:
    """Check that `manifest.json`, where a layout has one too, lists the same images: some programs read only that."""
    if files.size(MANIFEST_FILE) is None:
        return Report()
    there = {(image.config, tuple(layer.descriptor.digest for layer in image.layers)) for image in layout.images}
    try:
        listed = _listed(files)
    except IntegrityError as error:
        return Report(findings=tuple(problems(error)))
    known = {config for config, _ in there}
    return Report(
        findings=tuple(
            Finding(
                "problem",
                MANIFEST_FILE,
                f"lists other layers than {INDEX_FILE} for the image {config}"
                if config in known
                else f"lists an image that {INDEX_FILE} does not: {config}",
            )
            for config, layers in listed
            if (config, layers) not in there
        )
    )


def _listed(files: ArchiveFiles) -> list[tuple[Digest, tuple[Digest, ...]]]:
    """Each image that `manifest.json` lists: its configuration and its layers.

    Layers are known by their names where those are digests: what is in them was compared with those already.
    """
    images = [image for _, image in DockerArchive(files).every(None)]
    paths = [item["Layers"] or () for item in json.loads(read_document(files, MANIFEST_FILE))]
    return [
        (
            Digest.of(image.config),
            tuple(_named(path) or layer.digest for path, layer in zip(names, image.layers, strict=True)),
        )
        for image, names in zip(images, paths, strict=True)
    ]


def _named(path: str) -> Digest | None:
    """The digest that a layout's blob has for a name."""
    return Digest(path.rpartition("/")[2]) if _BLOB.fullmatch(path) else None


@dataclass(slots=True)
class _Walk:
    """From the index down, everything once."""

    files: Files
    claims: Mapping[str, str]
    report: Report = field(default_factory=Report)
    _reports: dict[Digest, Report] = field(default_factory=dict)

    def entry(self, entry: IndexEntry, names: tuple[str, ...], depth: int = 0) -> None:
        """Check what an entry of an index leads to."""
        where = f"manifest {entry.descriptor.digest.short}"
        if depth and self.files.size(blob_path(entry.descriptor.digest)) is None:
            what = f"for {entry.platform} is not here" if entry.platform else "is not here"
            self._note(where, f"{what} (image-spec, image-layout.md lets blobs be elsewhere)")
            return
        try:
            data = self._document(entry.descriptor)
            if is_index(data, where) and depth < _DEEPEST:
                for inner in parse_index(data, where).entries:
                    self.entry(inner, names, depth + 1)
            else:
                self._manifest(data, entry, names)
        except IntegrityError as error:
            self.report += Report(findings=tuple(problems(error)))

    def _manifest(self, data: bytes, entry: IndexEntry, names: tuple[str, ...]) -> None:
        where = f"manifest {entry.descriptor.digest.short}"
        if entry.platform == "unknown/unknown" or _kind(data, where) not in {CONFIG, DOCKER_CONFIG}:
            self._note(where, "is no image, but something kept beside one: its layers were not read")
            return
        if entry.descriptor.digest not in self._reports:
            self._reports[entry.descriptor.digest] = self._image(data, where)
        found = _with_names(self._reports[entry.descriptor.digest], names)
        self.report += found
        for image in found.images:
            if entry.platform not in {None, image.platform}:
                what = f"is listed for {entry.platform}, but is for {image.platform}"
                self.report += Report(findings=(Finding("problem", where, what),))

    def _note(self, where: str, what: str) -> None:
        self.report += Report(findings=(Finding("note", where, what),))

    def _image(self, data: bytes, where: str) -> Report:
        manifest = parse_manifest(data, where)
        config = self._document(manifest.config)
        settings = parse_config(config, f"configuration {manifest.config.digest.short}")
        image = SourceImage(data, config, manifest.layers, settings.diff_ids, settings.platform, self._layer)
        return validate(image, claims=self.claims)

    def _document(self, descriptor: Descriptor) -> bytes:
        data = read_document(self.files, blob_path(descriptor.digest))
        if (Digest.of(data), len(data)) != (descriptor.digest, descriptor.size):
            stated, found = f"{descriptor.digest}, {descriptor.size} bytes", f"{Digest.of(data)}, {len(data)} bytes"
            raise IntegrityError(f"must be {stated}, but is {found}", where=f"blob {descriptor.digest.short}")
        return data

    def _layer(self, descriptor: Descriptor) -> BinaryIO:
        path = blob_path(descriptor.digest)
        if self.files.size(path) is None:
            raise IntegrityError("is missing", where=path)
        return self.files.open(path)


def _called(entry: IndexEntry) -> set[str]:
    names = {entry.annotations[key] for key in _NAMES if key in entry.annotations}
    return {*names, f"@{entry.descriptor.digest}"}


def _kind(data: bytes, where: str) -> Any:
    """The media type of a manifest's configuration: what the manifest is of."""
    config = parse_object(data, where).get("config")
    return config.get("mediaType") if isinstance(config, dict) else None


def _with_names(report: Report, names: tuple[str, ...]) -> Report:
    return dataclasses.replace(report, images=tuple(dataclasses.replace(image, names=names) for image in report.images))


def _misnamed(files: ArchiveFiles, images: Sequence[SourceImage]) -> Iterator[Finding]:
    """Files of a Docker archive whose names are digests, but not theirs."""
    contents = {Digest.of(image.config) for image in images} | {
        layer.digest for image in images for layer in image.layers
    }
    for item in json.loads(read_document(files, MANIFEST_FILE)):
        for path in (item["Config"], *(item["Layers"] or ())):
            named = _DIGEST.search(path)
            if named and Digest(named[1]) not in contents:
                yield Finding("problem", path, "has another content than its name says")
