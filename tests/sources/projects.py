"""Projects with locks for the tests of sources, and how they are pulled."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from repro.digest import Digest
from repro.http import per_thread, session
from repro.lock import LockedFile, Role
from repro.progress import Silent
from repro.sources import Network, PullReport, find_sources, pull

BODY = bytes(range(256)) * 4096
SESSIONS = per_thread(session)


def locked(
    path: str, body: bytes = BODY, source: str | None = None, *, role: Role = "data", executable: bool = False
) -> LockedFile:
    return LockedFile(path, role, Digest.of(body), len(body), executable=executable, source=source)


def written(root: Path, path: str, body: bytes = BODY) -> LockedFile:
    """A file that is there, as it would be locked."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return locked(path, body)


def network(**environ: str) -> Network:
    return Network(SESSIONS, environ={**os.environ, **environ})


def fetch(root: Path, *files: LockedFile, force: bool = False, dry_run: bool = False, **environ: str) -> PullReport:
    found = network(**environ)
    return pull(root, files, network=found, progress=Silent(), force=force, dry_run=dry_run)


def statuses(report: PullReport) -> dict[str, str]:
    return {file.path: file.status for file in report.files}


def sources(
    root: Path, files: Sequence[LockedFile], declared: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """What capture would write, by path; without warnings."""
    found = find_sources(root, files, declared=declared or {}, sessions=SESSIONS, environ=plain(root))
    assert found.warnings == ()
    return {file.path: file.source for file in found.files}


def plain(root: Path) -> dict[str, str]:
    """An environment without the user's own configuration of DVC."""
    return {**os.environ, "DVC_GLOBAL_CONFIG_DIR": str(root / "no"), "DVC_SYSTEM_CONFIG_DIR": str(root / "no")}
