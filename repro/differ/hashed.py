"""The locked files as they are now, and what pointers of Git LFS and DVC say of those that were never fetched."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.digest import Digest
from repro.lock import LockedFile
from repro.progress import Progress
from repro.sources.dvc import DvcRepository, dvc_root
from repro.sources.lfs import is_pointer
from repro.store.hashing import Hashed, hash_files
from repro.store.stat_cache import open_stat_cache

_EXECUTABLE = 0o100
_POINTER = re.compile(r"^oid sha256:([0-9a-f]{64})\nsize (\d+)$", re.MULTILINE)
_MD5 = re.compile(r"\b([0-9a-f]{2})/([0-9a-f]{30})\b")
"""How DVC names contents in its remotes."""


@dataclass(frozen=True, slots=True)
class Files:
    """What became of locked files.

    Attributes:
        there: With the digests that they have now; those of `elsewhere` as a pointer, or else the lock, has them.
        elsewhere: Those whose content is not here, because it comes from elsewhere.
        faults: A sentence for each that can't be read, or of which a pointer names another content.
    """

    there: tuple[LockedFile, ...]
    elsewhere: tuple[LockedFile, ...]
    faults: tuple[str, ...]


def hash_now(root: Path, files: Sequence[LockedFile], progress: Progress, environ: Mapping[str, str]) -> Files:
    """Hash the files of a project that a lock names, as far as they are here; what is gone is in none of the results.

    Args:
        root: Project root.
        files: As they are locked.
        progress: Shows bytes where there is much to hash.
        environ: Where the user's configuration of DVC is looked for.
    """
    cache = open_stat_cache(root)
    outcomes = hash_files([f"{root}/{file.path}" for file in files], cache=cache, progress=progress)
    cache.save()
    there, elsewhere, faults = [], [], []
    for file, outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, Hashed):
            now = _now(file, outcome)
            pointed = None if now.sha256 == file.sha256 else _pointed(root, now)
            there.append(pointed or now)
            elsewhere += [pointed] if pointed else []
        elif isinstance(outcome, FileNotFoundError) and (file.mount or file.source is not None):
            there.append(file)
            elsewhere.append(file)
        elif not isinstance(outcome, FileNotFoundError):
            faults.append(f"{file.path}: it can't be read: {outcome.strerror}")
    return Files(tuple(there), tuple(elsewhere), (*faults, *_other_contents(root, elsewhere, environ)))


def _now(file: LockedFile, outcome: Hashed) -> LockedFile:
    mode = bool(outcome.after.st_mode & _EXECUTABLE) if os.name == "posix" else file.executable
    return replace(file, sha256=outcome.sha256, size=outcome.after.st_size, executable=mode)


def _pointed(root: Path, file: LockedFile) -> LockedFile | None:
    """The content that a Git LFS pointer stands for, which it names by sha256 as a lock does."""
    place = root / file.path
    if not is_pointer(str(place)):
        return None
    found = _POINTER.search(place.read_text(encoding="utf-8", errors="replace"))
    return None if found is None else replace(file, sha256=Digest(found[1]), size=int(found[2]))


def _other_contents(root: Path, files: Sequence[LockedFile], environ: Mapping[str, str]) -> Iterator[str]:
    """What DVC's pointers name by md5 and locks name in the file's source."""
    repositories: dict[Path, DvcRepository] = {}
    for file in files:
        locked = _MD5.search(file.source or "")
        place = dvc_root((root / file.path).parent) if locked else None
        if locked is None or place is None:
            continue
        if place not in repositories:
            repositories[place] = DvcRepository(place, environ)
        tracked = repositories[place].tracked.get((root / file.path).relative_to(place).as_posix())
        if tracked is not None and tracked.md5 != f"{locked[1]}{locked[2]}":
            yield f"{file.path}: DVC names another content than was locked, md5 {tracked.md5}"
