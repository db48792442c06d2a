"""The locked files that DVC tracks: which repository each is in, and whether it is still what DVC has stored."""

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from repro.cpus import usable_cpus
from repro.lock import LockedFile
from repro.sources.dvc import DvcRepository, Tracked, dvc_root, is_content
from repro.words import few

_NAMED = 5


@dataclass(frozen=True, slots=True)
class DvcSources:
    """Sources by path, and what the author should know."""

    sources: Mapping[str, str]
    warnings: tuple[str, ...]


def dvc_sources(
    root: Path,
    files: Sequence[LockedFile],
    previous: Sequence[LockedFile],
    environ: Mapping[str, str] = os.environ,
) -> DvcSources:
    """Where DVC's remotes have files.

    Args:
        root: Project root.
        files: As they are locked.
        previous: The files of the lock before: what it has with the same sha256 and md5 isn't hashed again.
        environ: Where the user's configuration of DVC is looked for.
    """
    places = _Places(root, environ)
    tracked = [(file, *found) for file in files if (found := places.tracked(file.path)) is not None]
    if not tracked:
        return DvcSources({}, tuple(_warnings(unlisted=sorted(places.unlisted))))
    known = {(file.path, file.sha256): file.source or "" for file in previous}
    readable = [(file, one, source) for file, one, source in tracked if source is not None]

    def same(found: tuple[LockedFile, Tracked, str]) -> bool:
        file, one, _ = found
        return f"{one.md5[:2]}/{one.md5[2:]}" in known.get((file.path, file.sha256), "") or _same(root, file, one)

    with ThreadPoolExecutor(usable_cpus(), "md5") as pool:  # hashlib lets other threads run while it hashes
        unchanged = list(pool.map(same, readable))
    return DvcSources(
        {file.path: source for (file, _, source), fine in zip(readable, unchanged, strict=True) if fine},
        tuple(
            _warnings(
                changed=[file.path for (file, _, _), fine in zip(readable, unchanged, strict=True) if not fine],
                unreadable=[file.path for file, _, source in tracked if source is None],
                unlisted=sorted(places.unlisted),
            )
        ),
    )


class _Places:
    """The DVC repositories that files are in, each read once."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._folders: dict[str, Path | None] = {}
        self._repositories: dict[Path, DvcRepository] = {}
        self.unlisted: list[str] = []

    def tracked(self, path: str) -> tuple[Tracked, str | None] | None:
        """What DVC knows of a file, and its source if that can be read; None for a file that it doesn't track."""
        folder = posixpath.dirname(path)
        if folder not in self._folders:  # a hundred thousand files are in few folders
            self._folders[folder] = dvc_root(self._root / folder)
        place = self._folders[folder]
        if place is None:
            return None
        if place not in self._repositories:
            self._repositories[place] = DvcRepository(place, self._environ)
        repository = self._repositories[place]
        inside = (self._root / path).relative_to(place).as_posix()
        one = repository.tracked.get(inside)
        if one is None and any(inside.startswith(f"{folder}/") for folder in repository.unlisted):
            self.unlisted.append(path)
        return None if one is None else (one, repository.source_of(one.path, self._root))


def _same(root: Path, file: LockedFile, one: Tracked) -> bool:
    try:
        return is_content(root / file.path, one)
    except OSError:
        return False


def _warnings(*, unlisted: Sequence[str], changed: Sequence[str] = (), unreadable: Sequence[str] = ()) -> Iterator[str]:
    if changed:
        yield f"changed since DVC has stored it, and so without a source: {_named(changed)}; run `dvc commit`"
    if unreadable:
        yield f"no DVC remote that `repro pull` can read has {_named(unreadable)}: whoever builds needs `dvc pull`"

    if unlisted:
        yield f"what DVC knows of {_named(unlisted)} is not in its cache, so there is no source: run `dvc fetch` before"


def _named(paths: Sequence[str]) -> str:
    return few(paths, _NAMED)
