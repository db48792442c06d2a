"""Beside digests that differ: which files they stand for, and what changed in the data, by the lock's profiles."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo
from repro.errors import UsageError
from repro.lock import Lock
from repro.plan import layout
from repro.plan.layers import baked
from repro.profiles import explain_changes
from repro.verify.model import Finding

_MOST_BYTES = 256 << 20
"""Project files of more bytes are not read out of an image only to be named."""


def name_changes(findings: tuple[Finding, ...], engine: Engine, image: ImageInfo, lock: Lock) -> tuple[Finding, ...]:
    """The findings; where layers differ, with the project files that do (of large projects only the layers)."""
    files = baked(lock.files)
    if sum(file.size for file in files) > _MOST_BYTES or not any(one.kind == "layers" for one in findings):
        return findings
    try:
        found = engine.read_files(image.id, layout.PROJECT)
    except UsageError:
        found = {}
    other = {
        file.path: found[file.path]
        for file in files
        if file.path in found and Digest.of(found[file.path]) != file.sha256
    }
    changed = tuple(
        f"{file.path}: expected {file.sha256}, found {Digest.of(other[file.path]) if file.path in found else 'none'}"
        for file in files
        if file.path in other or file.path not in found
    )
    named = (replace(one, evidence=(*one.evidence, *changed)) if one.kind == "layers" else one for one in findings)
    return (*named, *changed_content(lock, other))


def changed_data(lock: Lock, found: Mapping[str, Path]) -> tuple[Finding, ...]:
    """What is other in tables of which another content was found, as one finding; none where nothing can be told.

    Args:
        lock: Has the profiles.
        found: Locked path → where the other content is.
    """
    lines = explain_changes(lock.evidence.profiles, found)
    if not lines:
        return ()
    return (Finding("data", "info", "the data looks different from what the baseline was measured on", lines),)


def changed_content(lock: Lock, found: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """The same for contents that are at hand as bytes."""
    known = {profile.path for profile in lock.evidence.profiles}
    with tempfile.TemporaryDirectory(prefix="repro-changed-") as folder:
        places: dict[str, Path] = {}
        for number, path in enumerate(sorted(known & found.keys())):
            places[path] = Path(folder, str(number))
            places[path].write_bytes(found[path])
        return changed_data(lock, places)
