"""Hugging Face's cache on disk: which repository, commit and file a path stands for.

Layout: `models--org--name/snapshots/<commit>/<file>`, each a link to `blobs/<etag>`; the etag is the content's sha256
for large files and git's blob id for small ones (huggingface_hub, guides/manage-cache).
"""

import hashlib
import os
import re
from pathlib import Path

from repro.digest import Digest

_KINDS = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
_SNAPSHOT = re.compile(
    r"(?:^|.*/)(?P<kind>models|datasets|spaces)--(?P<repo>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})/(?P<path>.+)"
)
_BLOB = re.compile(r"(?P<folder>(?:.*/)?(?:models|datasets|spaces)--[^/]+)/blobs/(?P<etag>[0-9a-f]{40,64})")
_SMALL = 64 << 20
_ANYWHERE = Path("/")
_SHA256 = 64


def hub_source(root: Path, path: str, digest: Digest, size: int) -> str | None:
    """Where a file of a cache inside the project came from; None for others, and for one that was changed since.

    Args:
        root: Project root.
        path: POSIX, relative to it: a file of a snapshot, or the blob that one links to.
        digest: Of the content that is there.
        size: Bytes.
    """
    if "--" not in path:
        return None
    blob = _BLOB.fullmatch(path)
    named = _linking(root, blob["folder"], root / path) if blob else path
    found = _source(named) if named else None
    if found is None:
        return None
    etag = Path(os.path.realpath(root / path)).name
    return found if _has_etag(root / path, etag, digest, size) else None


def hub_advice(path: str) -> str | None:
    """What to do about a file that a run read from a cache outside of the project; None when it isn't one."""
    posix = path.replace(os.sep, "/")
    blob = _BLOB.fullmatch(posix)
    found = _SNAPSHOT.fullmatch((_linking(_ANYWHERE, blob["folder"], Path(path)) or "") if blob else posix)
    if found is None:
        return None
    repo = found["repo"].replace("--", "/")
    kind = "" if found["kind"] == "models" else f" --repo-type {found['kind'][:-1]}"
    folder = f"models/{repo.rpartition('/')[2]}" if not kind else f"data/{repo.rpartition('/')[2]}"
    place = f"hf://{_KINDS[found['kind']]}{repo}@{found['commit']}/"
    return (
        f"set HF_HOME to a folder of the project, or run `hf download {repo}{kind} --revision {found['commit']} "
        f'--local-dir {folder}` there, load "{folder}", and write "{folder}/" = "{place}" into repro.toml, [sources]'
    )


def _source(path: str) -> str | None:
    found = _SNAPSHOT.fullmatch(path)
    if found is None:
        return None
    return f"hf://{_KINDS[found['kind']]}{found['repo'].replace('--', '/')}@{found['commit']}/{found['path']}"


def _linking(root: Path, folder: str, blob: Path) -> str | None:
    """The file of a snapshot that is a link to this blob; the first by name."""
    for place, folders, names in os.walk(root / folder / "snapshots"):
        folders.sort()
        for name in sorted(names):
            file = Path(place, name)
            if file.is_symlink() and Path(os.path.realpath(file)) == Path(os.path.realpath(blob)):
                return file.relative_to(root).as_posix() if root != _ANYWHERE else file.as_posix()
    return None


def _has_etag(file: Path, etag: str, digest: Digest, size: int) -> bool:
    """Whether the content is the one that was downloaded, as far as its blob's name tells."""
    if re.fullmatch(r"[0-9a-f]{64}", etag):
        return etag == digest.hex
    if re.fullmatch(r"[0-9a-f]{40}", etag) and size < _SMALL:
        git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        git.update(file.read_bytes())
        return git.hexdigest() == etag
    return True  # caches without links, as on Windows, have the files themselves there
