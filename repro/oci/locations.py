"""Where people say that an image is: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from repro.digest import Digest
from repro.errors import UsageError
from repro.oci.archives import DockerArchive, is_layout
from repro.oci.layouts import Folder, Layout
from repro.oci.sources import Pinned, SourceImage
from repro.oci.tar_files import tar_files

Kind = Literal["oci", "oci-archive", "docker-archive"]
_WRITTEN = re.compile(r"(oci|oci-archive|docker-archive):((?:[A-Za-z]:[\\/])?[^:]+)(?::(.+))?", re.DOTALL)


class Images(Protocol):
    """The images at one place."""

    def references(self) -> tuple[str, ...]:
        """The names that they have there."""
        ...

    def pinned(self, reference: str | None, platform: str) -> Pinned:
        """One by its name (see `repro.oci.layouts.open_layout`)."""
        ...

    def with_digest(self, digest: Digest, platform: str) -> SourceImage | None:
        """The one for a platform whose manifest, index or configuration has a digest."""
        ...


@dataclass(frozen=True, slots=True)
class Location:
    """A place on this machine.

    Attributes:
        kind: What is there; None for what is to be found out.
        path: A directory or a file, as it was written.
        reference: Name of the image there, or None.
    """

    kind: Kind | None
    path: Path
    reference: str | None


def is_location(text: str) -> bool:
    """Whether a text names a place on this machine, and not an image in a registry or an engine."""
    return _WRITTEN.fullmatch(text) is not None


def parse_location(text: str) -> Location:
    """Read one of the three forms, as skopeo and podman have them (containers-transports(5)), or a mere path."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return Location(None, Path(text), None)
    return Location(cast("Kind", found[1]), Path(found[2]), found[3])


def open_location(location: Location, root: Path = Path()) -> Images:
    """The images at a place.

    Args:
        location: The place.
        root: What a relative path starts from.

    Raises:
        UsageError: There is nothing, or something else.
        IntegrityError: It is damaged.
        InfrastructureError: It can't be read.
    """
    path = root / location.path
    if not path.exists():
        raise UsageError("there is no such layout or archive of images", where=str(path))
    if path.is_dir() != (location.kind == "oci") and location.kind is not None:
        kind = "a directory" if path.is_dir() else "a file"
        raise UsageError(f"{location.kind}: can't be {kind}", where=str(path))
    if path.is_dir():
        return Layout(Folder(path))
    files = tar_files(path)
    if location.kind == "oci-archive" or (location.kind is None and is_layout(files)):
        return Layout(files)
    return DockerArchive(files)
