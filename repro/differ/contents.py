"""Where the content of locked files can be had: the project, its history in git, layers that are kept, an image.

A content only counts when it is the locked one, by its sha256. Files of megabytes are left alone: they are no code.
"""

import functools
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from repro.digest import Digest
from repro.errors import ReproError
from repro.git import git
from repro.lock import Lock, LockedFile
from repro.oci.streams import DAMAGED, unpacked
from repro.plan import layout
from repro.store import ObjectStore
from repro.store.cache import cache_directory

Contents = Callable[[LockedFile], bytes | None]
"""The locked content of a file, or None where it isn't at hand."""

_UNREADABLE: tuple[type[Exception], ...] = (OSError, tarfile.TarError, ReproError, *DAMAGED)
_LARGEST = 16 << 20
_PATIENCE = 10
_git = functools.partial(git, timeout=_PATIENCE)
_MOST_COMMITS = 200
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_CODE_LAYERS = ("code",)
_PROJECT = layout.PROJECT.relative_to("/").as_posix()


def first_of(places: Iterable[Contents]) -> Contents:
    """Asks one place after the other, each file once."""
    every = tuple(places)

    @cache
    def find(file: LockedFile) -> bytes | None:
        if file.size > _LARGEST:
            return None
        found = (_checked(place(file), file) for place in every)
        return next((data for data in found if data is not None), None)

    return find


def locked_contents(root: Path, lock: Lock) -> Contents:
    """Where the contents that a lock names may be: its project, what is kept of its images, the project's history."""
    revision = lock.evidence.revision
    revisions = ["HEAD", *([revision.commit] if revision and _COMMIT.fullmatch(revision.commit) else [])]
    return first_of([in_folder(root), in_layers(lock), *(at_revision(root, one) for one in revisions), in_git(root)])


def in_folder(root: Path) -> Contents:
    """The files as they are now."""

    def find(file: LockedFile) -> bytes | None:
        try:
            return (root / file.path).read_bytes()
        except OSError:
            return None

    return find


def in_git(root: Path) -> Contents:
    """Any version that the last commits of any branch have, the project being the folder or below it."""

    def find(file: LockedFile) -> bytes | None:
        commits = _git(root, "rev-list", "--all", f"--max-count={_MOST_COMMITS}", "--", file.path)
        if not commits:
            return None
        asked = "".join(f"{commit}:./{file.path}\n" for commit in commits.decode().split())
        listed = _git(
            root,
            "cat-file",
            "--batch-check=%(objectname) %(objecttype) %(objectsize)",
            stdin=asked.encode("utf-8", "surrogateescape"),
            timeout=_PATIENCE,
        )
        rows = dict.fromkeys(line for line in (listed or b"").decode("utf-8", "replace").splitlines())
        fitting = [row.split()[0] for row in rows if row.split()[1:] == ["blob", str(file.size)]]
        contents = (_git(root, "cat-file", "blob", name) for name in fitting)
        return next((data for data in contents if data is not None and Digest.of(data) == file.sha256), None)

    return find


def at_revision(root: Path, revision: str) -> Contents:
    """The version that a revision has."""
    return lambda file: read_at(root, revision, f"./{file.path}")


def in_layers(lock: Lock) -> Contents:
    """What captures and builds keep on this machine: the layers of the images that the lock predicts."""

    @cache
    def files() -> Mapping[str, bytes]:
        store = ObjectStore(cache_directory() / "layers" / "blobs")
        blobs = {layer.blob for image in lock.predicted for layer in image.layers if layer.name in _CODE_LAYERS}
        return next((_members(store.path(blob)) for blob in blobs if blob is not None and store.has(blob)), {})

    return lambda file: files().get(file.path)


def read_at(root: Path, revision: str, path: str) -> bytes | None:
    """A file of a revision, its path beginning with a dot; None where there is no git, revision or file."""
    return _git(root, "cat-file", "blob", f"{revision}:{path}")


def _checked(data: bytes | None, file: LockedFile) -> bytes | None:
    return data if data is not None and Digest.of(data) == file.sha256 else None


def _members(blob: Path) -> dict[str, bytes]:
    """The project's files in a layer."""
    found: dict[str, bytes] = {}
    try:
        with blob.open("rb") as stream, tarfile.open(fileobj=unpacked(stream), mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./").removeprefix(f"{_PROJECT}/")
                content = archive.extractfile(member) if member.isfile() and member.size <= _LARGEST else None
                if content is not None:
                    found[name] = content.read()
    except _UNREADABLE:
        return {}
    return found
