"""What a lock would say of packages that lie in a channel's folder."""

import hashlib
from dataclasses import replace
from pathlib import Path

from repro.conda.archive import open_archive
from repro.digest import Digest
from repro.lock import CondaPackage

SITE_PACKAGES = "lib/python3.11/site-packages"


def locked(archive: Path, *, target: str = "linux/amd64", **changes: object) -> CondaPackage:
    """The archive as a lock's package, its scripts skipped."""
    opened = open_archive(archive, archive.name)
    data = archive.read_bytes()
    package = CondaPackage(
        name=opened.index["name"],
        version=opened.index["version"],
        build=opened.index["build"],
        target=target,
        channel="demo",
        subdir=archive.parent.name,
        file=archive.name,
        url=f"https://conda.example.org/demo/{archive.parent.name}/{archive.name}",
        sha256=Digest.of(data),
        size=len(data),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        depends=tuple(opened.index["depends"]),
        scripts="skip" if opened.scripts else None,
    )
    return replace(package, **changes)  # type: ignore[arg-type]
