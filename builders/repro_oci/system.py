"""The layer of Debian packages, over the base's own package database."""

from pathlib import Path

from repro.debian.layer import system_entries
from repro.transfer.base import base_facts

from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.plan import Deb, Layer, Supplies


def system_entries_of(layer: Layer, base: Image, supplies: Supplies, directory: Path) -> list[Entry]:
    """What dpkg would have left of a layer's packages on this base.

    Raises:
        IntegrityError: A package can't be trusted.
        UsageError: A maintainer script would have to run that nobody knows.
    """
    packages = [item.package for item in layer.items if isinstance(item, Deb)]
    files = supplies.bring([package.sha256 for package in packages])
    return system_entries([(package, files[package.sha256]) for package in packages], base_facts(base, directory))
