"""Files of conda packages that were edited by hand: refused unless allowed, then baked as they are; what is missing."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.capture.conda.contents import Contents, inspect
from repro.capture.conda.places import mentions, portable
from repro.capture.model import Interpreter
from repro.conda.environment import CondaPrefix
from repro.conda.records import Record
from repro.errors import CaptureError
from repro.lock import CondaPatch
from repro.store import ObjectStore
from repro.words import few

TRUST = ("cacert.pem", "cert.pem")
_METADATA = re.compile(r"/([^/]+)-[^/-]+\.dist-info/METADATA$")
_MOST = 20
_NAMED = 4


@dataclass(frozen=True, slots=True)
class CondaReview:
    """The packages as they lie in the environment, and what the author should know.

    Attributes:
        contents: Each package of which anything is left, by name.
        patched: Files that go into the image as they are, by the package's name.
        warnings: One sentence each.
    """

    contents: tuple[Contents, ...] = ()
    patched: Mapping[str, tuple[CondaPatch, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def review_conda(interpreter: Interpreter, allowed: Iterable[str], store: ObjectStore) -> CondaReview:
    """Look at every conda package, and refuse files that were edited and that nobody allowed.

    Args:
        interpreter: The captured environment.
        allowed: Names of packages that may go into the image as they are installed.
        store: The project's object store, which receives what was edited.

    Raises:
        CaptureError: Packages were edited and are not allowed, or can't be baked; each file is named.
    """
    if interpreter.conda is None:
        return CondaReview()
    asked = {canonicalize_name(name) for name in allowed}
    names = {record.name for record in interpreter.conda.records if canonicalize_name(record.name) in asked}
    found = inspect(interpreter, names)
    kept = [one for one in found if one.left]
    refused = [one for one in kept if _edited(one, names) and one.record.name not in names]
    if refused:
        raise _refusal(refused)
    baked = {one.record.name: one.changed for one in kept if one.record.name in names and one.changed}
    patched = _baked(interpreter.conda, baked, store)
    warnings = (
        *_overwritten(found, interpreter),
        *(line for one in kept for line in _missing(one)),
        *(f"{name} goes into the image as it is, with the changes in {_few(paths)}" for name, paths in baked.items()),
        *_trusting(kept, names),
        *(f"allow-patched names {name}, which is as it was published" for name in sorted(names - baked.keys())),
    )
    return CondaReview(tuple(kept), patched, warnings)


def _edited(one: Contents, allowed: Collection[str]) -> tuple[str, ...]:
    """Companies add certificates of theirs on every machine, and the image reaches no network."""
    if one.record.name in allowed:
        return one.changed
    return tuple(path for path in one.changed if not path.endswith(TRUST))


def _trusting(kept: Iterable[Contents], allowed: Collection[str]) -> Iterator[str]:
    names = [one.record.label for one in kept if one.changed and one.record.name not in allowed]
    if names:
        yield f"certificates of {', '.join(names)} were changed on this machine; the image has what was published"


def _refusal(edited: list[Contents]) -> CaptureError:
    names = [one.record.name for one in edited]
    labels = " ".join(one.record.label for one in edited)
    flags = " ".join(f"--allow-patched {name}" for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    return CaptureError(
        f"{len(edited)} conda {'package was' if len(edited) == 1 else 'packages were'} changed by hand, so that what "
        "is published would not be what ran",
        problems=[problem for one in edited for problem in _problems(one)],
        fix="Do one of these, then capture again:\n"
        f"  1. undo the changes:          conda install --force-reinstall {labels}\n"
        f"                                (the same with mamba; pixi reinstall {' '.join(names)})\n"
        f"  2. take them into the image:  {flags}\n"
        f"                                (or in repro.toml: [packages] allow-patched = [{listed}])",
    )


def _problems(one: Contents) -> list[str]:
    changed = _edited(one, ())
    more = len(changed) - _MOST
    lines = [f"{one.record.label}: {path} was edited after it was installed" for path in changed[:_MOST]]
    return lines if more <= 0 else [*lines, f"{one.record.label}: {more} more files were edited"]


def _baked(
    conda: CondaPrefix, files: Mapping[str, tuple[str, ...]], store: ObjectStore
) -> dict[str, tuple[CondaPatch, ...]]:
    contents = {path: _portable(conda, path) for paths in files.values() for path in paths}
    stuck = [
        f"{conda.named[name].label}: {path}"
        for name, paths in files.items()
        for path in paths
        if contents[path] is None
    ]
    if stuck:
        raise CaptureError(
            f"edited binary files have the address of this environment in them, {conda.path}, which the image lacks",
            problems=stuck,
            fix="Install the packages again, or make the edited file a package of its own: conda-build replaces such "
            "addresses, which nobody can do afterwards.",
        )
    return {
        name: tuple(
            _patch(conda.path / path, path, data, store) for path in paths if (data := contents[path]) is not None
        )
        for name, paths in files.items()
    }


def _portable(conda: CondaPrefix, path: str) -> bytes | None:
    """A file's content with the image's prefix in place of the laptop's; None for a binary one that has it."""
    data = (conda.path / path).read_bytes()
    if not mentions(data, conda):
        return data
    return None if b"\0" in data else portable(data, conda)


def _patch(file: Path, path: str, data: bytes, store: ObjectStore) -> CondaPatch:
    return CondaPatch(path, store.add_bytes(data), len(data), os.access(file, os.X_OK))


def _overwritten(found: Iterable[Contents], interpreter: Interpreter) -> Iterator[str]:
    """What another installer, or another conda package, has put over packages."""
    names = {one.name: one for one in interpreter.distributions if one.conda is None}
    for one in found:
        record, others = one.record, sorted(set(one.taken.values()))
        twin = next((names[name] for name in _distributions(record) if name in names), None)
        if twin is not None and one.whole and (not one.left or one.taken):
            told = f"{twin.name} {twin.version}"
            yield (
                f"conda installed {record.label}, and {twin.installer or 'pip'} then put {told} in its place, which is "
                f"what ran and what is locked{'' if one.left else '; nothing of the conda package is left'}"
            )
        elif others:
            verb, them = ("is", "it") if len(one.taken) == 1 else ("are", "them")
            files, whose = _few(tuple(sorted(one.taken))), _few(tuple(others))
            yield f"{record.label}: {files} {verb} now as {whose} brought {them}"
        if not one.left and twin is None:
            yield f"{record.label}: none of its files is left, so the image is made without it"


def _distributions(record: Record) -> Iterator[str]:
    """Names that pip may know a package by: its own, and those of the metadata that it brought."""
    yield canonicalize_name(record.name)
    for one in record.paths:
        found = _METADATA.search(one.path)
        if found:
            yield canonicalize_name(found[1])


def _missing(one: Contents) -> Iterator[str]:
    """What is gone and has no successor; all of it where nothing else was put there."""
    if one.gone and not one.taken:
        verb = "is" if len(one.gone) == 1 else "are"
        yield (
            f"{one.record.label}: {_few(one.gone)} {verb} missing from the environment, and from the image; reinstall "
            "the package if that isn't meant to be"
        )


def _few(paths: tuple[str, ...]) -> str:
    return few(paths, _NAMED)
