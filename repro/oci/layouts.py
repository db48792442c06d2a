"""Images in an OCI image layout (image-spec, image-layout.md): a directory here, or whatever else holds its files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.oci.documents import REF_NAME, IndexEntry, is_index, parse_config, parse_index, parse_object
from repro.oci.image import CONFIG, DOCKER_CONFIG, Descriptor
from repro.oci.nodes import FIX
from repro.oci.sources import MOST_DOCUMENT, Pinned, SourceImage, find_manifest, source_image

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
_NAMES = ("io.containerd.image.name", REF_NAME)
"""Annotations with names of an image; Docker's and containerd's own say it in full, where the other is but a tag."""


class Files(Protocol):
    """Files by POSIX path relative to the layout's root."""

    @property
    def where(self) -> str:
        """What holds the files."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of a regular file, None when there is none."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Begin to read a file; the caller closes it. Raises InfrastructureError when that can't be."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Files of a directory; links to files are followed, as some tools keep blobs elsewhere."""

    root: Path

    @property
    def where(self) -> str:
        """The directory."""
        return str(self.root)

    def size(self, path: str) -> int | None:
        """Bytes of a regular file, None when there is none."""
        place = self.root / path
        return place.stat().st_size if place.is_file() else None

    def open(self, path: str) -> BinaryIO:
        """Begin to read a file. Raises InfrastructureError when that can't be."""
        try:
            return (self.root / path).open("rb")
        except OSError as error:
            raise InfrastructureError(f"can't read: {error.strerror}", where=str(self.root / path)) from error


def open_layout(path: Path, reference: str | None, platform: str) -> SourceImage:
    """An image of a layout directory.

    Args:
        path: The directory.
        reference: A name that its index has for the image, or `@sha256:…`; None where there is only one.
        platform: `os/architecture`.

    Raises:
        UsageError: It is no layout, or has no such image, or several.
        IntegrityError: It is damaged.
    """
    return Layout(Folder(path)).pinned(reference, platform).image


class Layout:
    """The images of a layout.

    Raises:
        UsageError: The files are no layout.
        IntegrityError: Its index is damaged.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._check_version()
        self._where = f"{files.where}: {INDEX_FILE}"
        self._entries = parse_index(read_document(files, INDEX_FILE), self._where).entries

    def references(self) -> tuple[str, ...]:
        """The names that the images have here."""
        return tuple(sorted({name for entry in self._entries for name in _names(entry)}))

    def pinned(self, reference: str | None, platform: str) -> Pinned:
        """See `open_layout`; with what is above and beside the image."""
        if reference is not None and reference.startswith("@"):
            digest = _digest(reference, self._files.where)
            return self._pinned(digest, self._at(digest, platform))
        entries = [entry for entry in self._entries if reference is None or reference in _names(entry)]
        if not entries:
            raise self._unknown(reference)
        offered: list[str] = []
        found = {Digest.of(image.manifest): (top, image) for top, image in self._images(entries, platform, offered)}
        if not found:
            raise _not_for(self._files.where, platform, offered)
        if len(found) > 1:
            raise self._several(platform)
        return self._pinned(*next(iter(found.values())))

    def with_digest(self, digest: Digest, platform: str) -> SourceImage | None:
        """The image for a platform whose manifest, index or configuration has this digest, wherever it is listed.

        Raises:
            UsageError: It is there, but for other platforms.
            IntegrityError: It is damaged.
        """
        if self._files.size(_blob(digest)) is not None and not _is_config(self._document(digest)):
            return self._at(digest, platform)
        images = self._images(self._entries, platform, [])
        return next((image for _, image in images if Digest.of(image.config) == digest), None)

    def document(self, digest: Digest) -> bytes | None:
        """A manifest, index or configuration, None when it isn't here. Raises IntegrityError when it is damaged."""
        return None if self._files.size(_blob(digest)) is None else self._document(digest)

    def _check_version(self) -> None:
        files = self._files
        if files.size(LAYOUT_FILE) is None or files.size(INDEX_FILE) is None:
            raise UsageError(
                f"not an image layout: it has no {LAYOUT_FILE} or no {INDEX_FILE}",
                where=files.where,
                fix="Name a layout: oci:DIRECTORY, oci-archive:FILE. What `docker save` wrote is docker-archive:FILE.",
            )
        where = f"{files.where}: {LAYOUT_FILE}"
        version = parse_object(read_document(files, LAYOUT_FILE), where).get("imageLayoutVersion")
        if not isinstance(version, str) or not version.startswith("1."):
            raise IntegrityError(f"an image layout of an unknown version: {version!r}", where=where)

    def _images(
        self, entries: Sequence[IndexEntry], platform: str, offered: list[str]
    ) -> Iterator[tuple[Digest, SourceImage]]:
        """The images for a platform, each with the digest that the index has; `offered` gets the other platforms."""
        for entry in entries:
            if entry.platform not in {None, platform}:
                offered.append(str(entry.platform))
                continue
            data = self._read(entry.descriptor)
            if _is_artifact(data, self._where):
                continue
            try:
                yield entry.descriptor.digest, self._image(data, platform)
            except _OtherPlatformsError as error:
                offered += error.offered

    def _pinned(self, digest: Digest, image: SourceImage) -> Pinned:
        listed = [entry for entry in self._entries if entry.descriptor.digest == digest]
        names = dict.fromkeys(name for key in _NAMES for entry in listed if (name := entry.annotations.get(key)))
        data = self._document(digest)
        entries = parse_index(data, self._where).entries if is_index(data, self._where) else ()
        here = {str(one.platform) for one in entries if self._files.size(_blob(one.descriptor.digest)) is not None}
        others = sorted(here - {"None", "unknown/unknown", image.platform})
        return Pinned(digest, data, image, tuple(names), tuple(self._image(data, one) for one in others))

    def _at(self, digest: Digest, platform: str) -> SourceImage:
        where = self._files.where
        if self._files.size(_blob(digest)) is None:
            raise UsageError(f"the layout has no image {digest}", where=where, fix=self._listed())
        try:
            return self._image(self._document(digest), platform)
        except _OtherPlatformsError as error:
            raise _not_for(where, platform, error.offered) from error

    def _image(self, data: bytes, platform: str) -> SourceImage:
        where = f"{self._files.where}: {Digest.of(data)}"
        found = find_manifest(data, platform, self._read, where, _OtherPlatformsError)
        return source_image(*found, where, self._open)

    def _read(self, descriptor: Descriptor) -> bytes:
        return self._document(descriptor.digest)

    def _document(self, digest: Digest) -> bytes:
        data = read_document(self._files, _blob(digest))
        if Digest.of(data) != digest:
            raise IntegrityError(
                f"a blob has changed: its content is {Digest.of(data)}", where=f"{self._files.where}: {digest}", fix=FIX
            )
        return data

    def _open(self, layer: Descriptor) -> BinaryIO:
        path = _blob(layer.digest)
        size = self._files.size(path)
        if size != layer.size:
            found = "missing" if size is None else f"{size} bytes instead of {layer.size}"
            raise IntegrityError(f"a layer is {found}", where=f"{self._files.where}: {layer.digest}", fix=FIX)
        return self._files.open(path)

    def _unknown(self, reference: str | None) -> UsageError:
        what = "the layout has no image" + ("" if reference is None else f" {reference}")
        return UsageError(what, where=self._files.where, fix=self._listed())

    def _several(self, platform: str) -> UsageError:
        return UsageError(f"the layout has several images for {platform}", where=self._files.where, fix=self._listed())

    def _listed(self) -> str:
        names = ", ".join(self.references())
        return f"Name one of these: {names}." if names else "Name one by its digest: @sha256:…."


def read_document(files: Files, path: str) -> bytes:
    """A small file. Raises IntegrityError when it is missing, or larger than any document can be."""
    size = files.size(path)
    if size is None or size > MOST_DOCUMENT:
        what = "is missing" if size is None else "is larger than any document can be"
        raise IntegrityError(f"{path} {what}", where=files.where, fix=FIX)
    with files.open(path) as stream:
        return stream.read(MOST_DOCUMENT)


class _OtherPlatformsError(Exception):
    """Never leaves this module."""

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__("not for this platform")
        self.offered = offered


def _not_for(where: str, platform: str, offered: Sequence[str]) -> UsageError:
    return UsageError(f"there is no image for {platform}, only for {', '.join(sorted(set(offered)))}", where=where)


def _names(entry: IndexEntry) -> set[str]:
    return {entry.annotations[key] for key in _NAMES if key in entry.annotations}


def _digest(reference: str, where: str) -> Digest:
    try:
        return Digest.parse(reference.removeprefix("@"))
    except ValueError as error:
        raise UsageError(str(error), where=where, fix="Write it as @sha256:<64 hex digits>.") from error


def _blob(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _is_artifact(data: bytes, where: str) -> bool:
    """Whether it is the manifest of something else than an image: a signature, a chart (image-spec, manifest.md)."""
    config = parse_object(data, where).get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    return isinstance(kind, str) and kind not in {CONFIG, DOCKER_CONFIG}


def _is_config(data: bytes) -> bool:
    try:
        parse_config(data)
    except IntegrityError:
        return False
    return True
