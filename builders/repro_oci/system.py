"""The layer of Debian packages, over the base's own package database."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from repro.debian.layer import system_entries
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.plan import Deb, Layer, Supplies
from repro.store import ObjectStore
from repro.transfer.base import BaseFacts, base_facts
from repro.transfer.view import base_view


def system_entries_of(layer: Layer, base: Image, supplies: Supplies, directory: Path) -> list[Entry]:
    """What dpkg would have left of a layer's packages on this base.

    Args:
        layer: Its `Deb` items count.
        base: The base image.
        supplies: Brings the packages.
        directory: The user's cache.

    Raises:
        IntegrityError: A package can't be trusted.
        CaptureError: A maintainer script would have to run that nobody knows.
    """
    packages = [item.package for item in layer.items if isinstance(item, Deb)]
    files = supplies.bring([package.sha256 for package in packages])
    facts = base_facts(base, directory)
    debs = [(package, files[package.sha256]) for package in packages]
    entries = system_entries(debs, base_view(facts), ObjectStore(directory / "artifacts", durable=False))
    return [*entries, *_folders(entries, facts)]


def _folders(entries: Iterable[Entry], facts: BaseFacts) -> Iterator[Entry]:
    """Directories of the base that the layer has to name, because it has something in them, as the base has them."""
    parents = {str(parent) for entry in entries for parent in PurePosixPath(entry.path).parents} - {"."}
    for path in sorted(parents - {entry.path for entry in entries}):
        fact = facts.paths.get(path)
        if fact is not None and fact.kind == "directory":
            yield Entry(path, "directory", fact.mode, origin="the base")
