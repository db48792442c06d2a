"""Everything that a verdict rests on, by hash: tables of names and digests."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repro.lock import Lock
from repro.report.dossier import Dossier
from repro.report.style import human_size
from repro.words import count

_MOST = 1000
"""Rows of one table; the lock has all."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """One table.

    Attributes:
        title: What is in it.
        headings: Of its columns; the last one holds digests.
        rows: Its rows.
        note: What else is to be said, such as how many rows were left out; "" for nothing.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def hashes(dossier: Dossier) -> list[Hashes]:
    """The tables that have rows, the image first."""
    tables = [_table("image and lock", ("what", "name", "digest"), _judged(dossier))]
    if dossier.verdict.image:
        layers = _layers(dossier.lock, dossier.verdict.image.layers)
        tables.append(_table("layers of the image", ("layer", "what", "digest of the unpacked layer"), layers))
    if dossier.lock:
        tables.append(_table("project files", ("file", "role and size", "sha256"), _files(dossier.lock)))
        tables.append(_table("packages", ("package", "file", "sha256"), _packages(dossier.lock)))
        tables.append(_table("conda packages", ("package", "channel and file", "sha256"), _conda(dossier.lock)))
    return [table for table in tables if table.rows]


def _table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Hashes:
    found = tuple(rows)
    left = len(found) - _MOST
    note = f"and {count(left, 'more row')}: the lock has all" if left > 0 else ""
    return Hashes(title, headings, found[:_MOST], note)


def _judged(dossier: Dossier) -> Iterator[tuple[str, ...]]:
    verdict, lock = dossier.verdict, dossier.lock
    if verdict.image and verdict.image.id:
        yield "image", verdict.image.reference, verdict.image.id
        for name in verdict.image.repo_digests:
            repository, _, digest = name.partition("@")
            yield "image in a registry", repository, digest
    if verdict.lock:
        yield "lock", verdict.lock.subject, verdict.lock.digest
    if lock:
        yield "base image", lock.base.reference, str(lock.base.digest)
        if lock.python.packed:
            yield "interpreter", lock.python.packed.name, str(lock.python.packed.sha256)
        yield "runner", f"repro {lock.runner.version}", str(lock.runner.sha256)
    for name, run in (("this run", dossier.here), ("the laptop's", dossier.laptop)):
        if run:
            yield name, run.origin, f"sha256:{hashlib.sha256(run.data).hexdigest()}"


def _layers(lock: Lock | None, found: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The image's own layers; those that the lock predicts have their names."""
    predicted = {str(layer.diff_id): layer.name for image in lock.predicted for layer in image.layers} if lock else {}
    first = next((number for number, digest in enumerate(found) if digest in predicted), len(found))
    for number, digest in enumerate(found):
        what = "as the lock predicts" if digest in predicted else "of the base" if number < first < len(found) else ""
        yield predicted.get(digest, f"layer {number}"), what, digest


def _files(lock: Lock) -> Iterator[tuple[str, ...]]:
    for file in lock.files:
        outside = ", brought along" if file.mount else ""
        yield file.path, f"{file.role}, {human_size(file.size)}{outside}", str(file.sha256)


def _packages(lock: Lock) -> Iterator[tuple[str, ...]]:
    for package in lock.packages:
        for file in package.files:
            yield f"{package.name} {package.version}", file.name, str(file.sha256)


def _conda(lock: Lock) -> Iterator[tuple[str, ...]]:
    """Archives, and files of theirs that were edited; the target where there are several."""
    several = len(lock.targets) > 1
    for package in lock.conda:
        target = f", {package.target}" if several else ""
        name = f"{package.name} {package.version} {package.build}"
        yield name, f"{package.channel}, {package.subdir}/{package.file}{target}", str(package.sha256)
        for patch in package.patched:
            yield name, f"edited by hand: {patch.path}{target}", str(patch.sha256)
