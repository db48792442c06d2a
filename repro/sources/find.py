"""At capture: where each locked file comes from, as far as it can be known, and files that were never fetched."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.errors import CaptureError
from repro.http import Session
from repro.lock import LockedFile
from repro.sources.declared import Declared
from repro.sources.dvc_files import dvc_sources
from repro.sources.huggingface import hub_source
from repro.sources.lfs import is_pointer, lfs_sources, pointer_problem

_POINTER = range(100, 1024)
"""Bytes that a pointer can have: its two shortest lines, and the specification's limit."""


@dataclass(frozen=True, slots=True)
class Located:
    """Files with what is known of their sources.

    Attributes:
        files: In the given order.
        warnings: For the author, one sentence each.
    """

    files: tuple[LockedFile, ...]
    warnings: tuple[str, ...] = ()


def find_sources(
    root: Path,
    files: Sequence[LockedFile],
    *,
    declared: Mapping[str, str],
    sessions: Callable[[], Session],
    previous: Sequence[LockedFile] = (),
    environ: Mapping[str, str] = os.environ,
) -> Located:
    """Give each file its source: what [sources] says, else DVC's remote, Git LFS' server, Hugging Face's hub.

    Only what is on this machine is looked at, but for an URI of MLflow's.

    Args:
        root: Project root.
        files: As they are locked.
        declared: [sources] of repro.toml.
        sessions: Gives a session, for MLflow's server.
        previous: The files of the lock that is there, which save hashing by md5 what has not changed.
        environ: Where the user's configuration of DVC is looked for.

    Raises:
        CaptureError: Files are only Git LFS pointers.
        UsageError: A declared URI of MLflow's leads nowhere.
        InfrastructureError: MLflow's server can't be asked.
    """
    refuse_pointers(root, [file.path for file in files if file.size in _POINTER])
    said = Declared(declared, root, sessions)
    found = {file.path: source for file in files if (source := said.source_of(file.path)) is not None}
    warnings = [f"[sources] names {key}, which the run did not read" for key in said.unused()]
    dvc = dvc_sources(root, [file for file in files if file.path not in found], previous, environ)
    found.update(dvc.sources)
    for file in files:
        if file.path not in found and (source := hub_source(root, file.path, file.sha256, file.size)):
            found[file.path] = source
    found.update(lfs_sources(root, {file.path: file.sha256 for file in files if file.path not in found}))
    located = tuple(replace(file, source=found[file.path]) if file.path in found else file for file in files)
    return Located(located, (*warnings, *dvc.warnings))


def refuse_pointers(root: Path, paths: Sequence[str]) -> None:
    """Raise CaptureError that names those of the files, relative to the root, which are only Git LFS pointers."""
    problems = [pointer_problem(path) for path in paths if is_pointer(f"{root}/{path}")]
    if problems:
        raise CaptureError(
            "files that the run used were never fetched",
            where=str(root),
            problems=problems,
            fix="Run `git lfs pull`, then capture again.",
        )
