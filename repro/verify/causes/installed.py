"""Which files of packages in an image aren't those that their RECORD (PEP 376, PEP 627) or conda-meta names."""

import base64
import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath

from repro.conda.environment import META as CONDA_META
from repro.conda.records import parse_record
from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo
from repro.errors import ReproError
from repro.lock import Lock
from repro.plan import layout
from repro.plan.versions import minor_version

_MOST_BYTES = 256 << 20
"""Environments of larger wheels are not read out of an image only to find a changed file …"""
_MOST_CONDA = 64 << 20
"""… and neither is all that larger conda packages bring beside Python modules."""
_LINK = "softlink"


def modified_files(lock: Lock, image: ImageInfo, engine: Engine) -> Iterator[str]:
    """`package: file` of each changed or missing file; nothing where the environment is too large to be read.

    Of conda packages every file, where they are few; else those of their Python modules.
    """
    conda = sum(one.size for one in lock.conda)
    if conda + sum(file.size for package in lock.packages for file in package.files) > _MOST_BYTES:
        return
    minor = minor_version(lock.python.version)
    site = layout.ENVIRONMENT / "lib" / f"python{minor}" / "site-packages"
    folder = layout.ENVIRONMENT if 0 < conda <= _MOST_CONDA else site
    try:
        files = _read(engine, image, folder)
        records = _read(engine, image, layout.ENVIRONMENT / CONDA_META) if lock.conda else {}
    except ReproError:  # a verdict counts without its explanation
        return
    brought = dict(_brought(records))
    inside = {path: (name, sha256) for path, (name, sha256) in brought.items() if path.is_relative_to(folder)}
    for path, (name, sha256) in sorted(inside.items()):
        if path not in files or Digest.of(files[path]).hex != sha256:
            yield f"{name}: {path.relative_to(folder).as_posix()}"
    below = {one.relative_to(site).as_posix(): data for one, data in files.items() if one.is_relative_to(site)}
    for record in sorted(below):
        if record.endswith(".dist-info/RECORD") and site / record not in brought:
            name = PurePosixPath(record).parent.name.partition("-")[0].replace("_", "-").lower()
            yield from (f"{name}: {changed}" for changed in _changed(below[record], below))


def _read(engine: Engine, image: ImageInfo, folder: PurePosixPath) -> dict[PurePosixPath, bytes]:
    """The files below a folder by their absolute paths."""
    return {folder / path: data for path, data in engine.read_files(image.id, folder).items()}


def _brought(records: Mapping[PurePosixPath, bytes]) -> Iterator[tuple[PurePosixPath, tuple[str, str]]]:
    """Each file that a conda package brought, with its name and the digest of the file. An image may say anything."""
    for path in sorted(records):
        with contextlib.suppress(ValueError, RecursionError):
            record = parse_record(json.loads(records[path]), Path(path.name))
            for one in record.paths:
                if one.sha256 is not None and one.kind != _LINK:
                    yield layout.ENVIRONMENT / one.path, (record.name, one.sha256)


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
