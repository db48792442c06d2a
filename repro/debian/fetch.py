"""Bringing locked .debs here: from the archive or the mirror in its place, else from Debian's archive of the past."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from repro.debian.sources import SNAPSHOT, at_mirror
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.http import Session, network_errors
from repro.lock import SystemPackage
from repro.progress import Progress
from repro.store.fetch import Wanted, fetch_all
from repro.store.objects import ObjectStore


def fetch_debs(
    packages: Sequence[SystemPackage],
    *,
    stores: Sequence[ObjectStore],
    cache: ObjectStore,
    sessions: Callable[[], Session],
    progress: Progress,
    snapshot: str = SNAPSHOT,
) -> dict[Digest, Path]:
    """Find or download the .deb of every package, each checked against its digest.

    Debian's archive drops a version soon after it has a newer one. What is gone from there is looked for in
    snapshot.debian.org, which keeps everything.

    Args:
        packages: What is locked.
        stores: Looked in first; never written to.
        cache: Looked in next, and where downloads are kept.
        sessions: Gives each thread its session.
        progress: Told of bytes.
        snapshot: Root of the archive of the past.

    Raises:
        IntegrityError: Bytes differ from what was locked.
        InfrastructureError: A file can't be had from anywhere.
    """
    wanted = [_wanted(package, at_mirror(package.url)) for package in packages]
    try:
        return fetch_all(wanted, stores=stores, cache=cache, sessions=sessions, progress=progress)
    except InfrastructureError as error:
        missing = [package for package in packages if not any(store.has(package.sha256) for store in (*stores, cache))]
        found = {package.sha256: _past_url(package, sessions(), snapshot) for package in missing}
        if not missing or None in found.values():
            raise _gone(error, [package for package in missing if found[package.sha256] is None]) from error
    progress.note(f"{len(missing)} system packages are gone from their archive; they come from {snapshot}")
    wanted = [_wanted(package, found.get(package.sha256) or package.url) for package in packages]
    return fetch_all(wanted, stores=stores, cache=cache, sessions=sessions, progress=progress)


def _wanted(package: SystemPackage, url: str) -> Wanted:
    name = f"{package.name}_{package.version}_{package.architecture}.deb"
    return Wanted(name, package.sha256, package.size, url)


def _past_url(package: SystemPackage, session: Session, snapshot: str) -> str | None:
    """Where the archive of the past has the file, by its machine-usable interface; None when it has not."""
    url = f"{snapshot}/mr/binary/{quote(package.name, safe='')}/{quote(package.version, safe='')}/binfiles?fileinfo=1"
    try:
        with network_errors(url, session.trust):
            response = session.get(url)
        document = json.loads(response.content) if response.ok else None
    except (InfrastructureError, ValueError):
        return None
    return _place(document, package, snapshot) if isinstance(document, dict) else None


def _place(document: Mapping[str, Any], package: SystemPackage, snapshot: str) -> str | None:
    ending = f"_{package.architecture}.deb"
    try:
        for copies in document.get("fileinfo", {}).values():
            for copy in copies:
                if copy["name"].endswith(ending) and copy["size"] == package.size:
                    archive = f"{snapshot}/archive/{copy['archive_name']}/{copy['first_seen']}"
                    return f"{archive}/{copy['path'].strip('/')}/{quote(copy['name'])}"
    except (AttributeError, KeyError, TypeError):
        return None  # not what the interface is documented to say
    return None


def _gone(error: InfrastructureError, packages: Sequence[SystemPackage]) -> InfrastructureError:
    names = ", ".join(f"{package.name} {package.version}" for package in packages)
    return InfrastructureError(
        error.what,
        where=error.where,
        problems=error.problems,
        details=error.details,
        fix=f"{error.fix or ''} snapshot.debian.org keeps every version, but could not be asked, or has not: "
        f"{names or 'these'}. REPRO_DEBIAN_MIRROR names a mirror; capture again to lock newer versions.".lstrip(),
    )
