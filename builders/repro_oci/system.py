"""The layer of Debian packages, over the base's own package database."""

from pathlib import Path

from repro.debian.layer import system_entries
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.plan import Deb, Layer, Supplies
from repro.store import ObjectStore
from repro.transfer.base import base_facts
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
    view = base_view(base_facts(base, directory))
    debs = [(package, files[package.sha256]) for package in packages]
    return system_entries(debs, view, ObjectStore(directory / "artifacts", durable=False))
