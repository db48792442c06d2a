"""The runner's own source as it enters images, and the digest by which locks pin it."""

import hashlib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from repro.digest import Digest


def runner_sources() -> dict[str, bytes]:
    """Every source file of `repro.runner` by its POSIX path below the package."""
    return dict(sorted(_files(resources.files("repro.runner"), "")))


def runner_digest(sources: Mapping[str, bytes]) -> Digest:
    """One digest over names and contents: sha256 of what `sha256sum` prints for them, sorted by path."""
    lines = (f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(sources.items()))
    return Digest.of("".join(lines).encode())


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found += _files(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            found.append((prefix + item.name, item.read_bytes().replace(b"\r\n", b"\n")))
    return found
