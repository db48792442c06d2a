"""Which files of installed packages in an image are not those that their own RECORD names (PEP 376, PEP 627)."""

import base64
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from posixpath import normpath

from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo
from repro.errors import ReproError
from repro.lock import Lock
from repro.plan import layout

_MOST_BYTES = 256 << 20
"""Environments of larger wheels are not read out of an image only to find a changed file."""


def modified_files(lock: Lock, image: ImageInfo, engine: Engine) -> Iterator[str]:
    """`package: file` of each changed or missing file; nothing where the environment is too large to be read."""
    if sum(file.size for package in lock.packages for file in package.files) > _MOST_BYTES:
        return
    minor = ".".join(lock.python.version.split(".")[:2])
    folder = layout.ENVIRONMENT / "lib" / f"python{minor}" / "site-packages"
    try:
        files = engine.read_files(image.id, folder)
    except ReproError:  # a verdict counts without its explanation
        return
    for path in sorted(files):
        if path.endswith(".dist-info/RECORD"):
            name = PurePosixPath(path).parent.name.partition("-")[0].replace("_", "-").lower()
            yield from (f"{name}: {changed}" for changed in _changed(files[path], files))


def _changed(record: bytes, files: Mapping[str, bytes]) -> Iterator[str]:
    """Files below the folder whose hash RECORD has and that are others; those outside of it aren't known."""
    for row in csv.reader(io.StringIO(record.decode("utf-8", "replace"))):
        path = normpath(row[0]) if row else ".."
        hashed = row[1] if len(row) > 1 else ""
        if path.startswith("..") or not hashed.startswith("sha256="):
            continue
        if path not in files or _hash(files[path]) != hashed.removeprefix("sha256="):
            yield path


def _hash(data: bytes) -> str:
    """As RECORD has it: base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(Digest.of(data).hex)).rstrip(b"=").decode("ascii")
