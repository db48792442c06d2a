"""Git LFS: pointers that stand where a file should be, and the server that has the files which git tracks by pointer.

A pointer names its file by sha256, as the lock does (git-lfs, docs/spec.md). Nothing is fetched here.
"""

import functools
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from repro.digest import Digest
from repro.git import git
from repro.urls import redact

_MOST = 1024
"""A pointer is smaller than that, by the specification."""
_BEGINNING = b"version https://git-lfs"
_OID = re.compile(r"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_SCP = re.compile(r"(?P<user>[\w.+-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//).+)")
_PATIENCE = 60
_git = functools.partial(git, timeout=_PATIENCE)


def is_pointer(path: str) -> bool:
    """Whether there is only a pointer, because the file it stands for was never fetched."""
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - there may be a hundred thousand
            data = stream.read(_MOST)
    except OSError:
        return False
    return len(data) < _MOST and data.startswith(_BEGINNING)


def pointer_problem(path: str) -> str:
    """What is wrong with a file that is a pointer, and the cure."""
    return f"{path} is not the file itself but its Git LFS pointer; run `git lfs pull`, then capture again"


def lfs_sources(root: Path, files: Mapping[str, Digest]) -> dict[str, str]:
    """The sources of those files whose content git has as a pointer, where their repository has a remote.

    Args:
        root: Project root.
        files: POSIX path relative to the root → digest of the content that is there; what was changed since it was
            added to git is on no server.
    """
    found: dict[str, str] = {}
    for repository, paths in _by_repository(root, files).items():
        if not _has_lfs(repository, root):
            continue
        pointers = dict(_pointers(repository, root, paths))
        server = _server(repository) if pointers else None
        for path, oid in pointers.items():
            if server is not None and files[path].hex == oid:
                found[path] = f"git-lfs+{server}#sha256={oid}"
    return found


def _by_repository(root: Path, paths: Iterable[str]) -> dict[Path, list[str]]:
    """Paths by the repository that they are in: submodules have their own."""
    known: dict[str, Path | None] = {}
    grouped: dict[Path, list[str]] = {}
    for path in paths:
        folder = posixpath.dirname(path)
        if folder not in known:  # a hundred thousand files are in few folders
            place = root / folder
            known[folder] = next((one for one in (place, *place.parents) if (one / ".git").exists()), None)
        repository = known[folder]
        if repository is not None:
            grouped.setdefault(repository, []).append(path)
    return grouped


def _has_lfs(repository: Path, root: Path) -> bool:
    """Whether a `.gitattributes` speaks of LFS; asked first, because hardly any repository's does."""
    names = (_git(repository, "ls-files", "-z", "--", ".gitattributes", "**/.gitattributes") or b"").split(b"\0")
    places = [repository / os.fsdecode(name) for name in names if name] or [root / ".gitattributes"]
    return any(b"filter=lfs" in _read(place) for place in {*places, repository / ".git" / "info" / "attributes"})


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _pointers(repository: Path, root: Path, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Path and sha256 of the files for which the index holds a pointer."""
    inside = {os.path.relpath(root / path, repository).replace(os.sep, "/"): path for path in paths}
    blobs: dict[str, list[str]] = {}
    for line in (_git(repository, "ls-files", "--stage", "-z") or b"").split(b"\0"):
        facts, _, name = line.partition(b"\t")
        if os.fsdecode(name) in inside:
            blobs.setdefault(facts.split()[1].decode(), []).append(inside[os.fsdecode(name)])
    for blob, text in _small_blobs(repository, list(blobs)):
        oid = _OID.search(text) if text.startswith(_BEGINNING.decode()) else None
        if oid:
            yield from ((path, oid[1]) for path in blobs[blob])


def _small_blobs(repository: Path, blobs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and text of the blobs that are small enough to be pointers."""
    listed = "".join(f"{blob}\n" for blob in blobs).encode()
    sizes = (
        _git(repository, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=listed) or b""
    ).splitlines()
    small = [line.split()[0] for line in sizes if len(line.split()) == 2 and int(line.split()[1]) < _MOST]  # noqa: PLR2004
    data = _git(repository, "cat-file", "--batch", stdin=b"".join(blob + b"\n" for blob in small)) or b""
    for blob in small:  # "<name> <type> <size>\n<content>\n" each, in order
        header, _, rest = data.partition(b"\n")
        size = int(header.split()[2])
        yield blob.decode(), rest[:size].decode("utf-8", "replace")
        data = rest[size + 1 :]


def _server(repository: Path) -> str | None:
    """The LFS server, as git-lfs finds it (docs/api/server-discovery.md); a repository's URL for ssh."""
    shared = ("config", "--file", str(repository / ".lfsconfig"), "--get")
    branch = _line(repository, "symbolic-ref", "--short", "--quiet", "HEAD")
    remote = (_line(repository, "config", "--get", f"branch.{branch}.remote") if branch else None) or "origin"
    for ask in (("config", "--get"), shared):
        for key in ("lfs.url", f"remote.{remote}.lfsurl"):
            url = _line(repository, *ask, key)
            if url:
                return _said(url)
    url = _said(_line(repository, "remote", "get-url", remote) or "")
    if url is None or url.startswith("ssh://"):
        return url
    return f"{url.rstrip('/').removesuffix('.git')}.git/info/lfs"


def _said(url: str) -> str | None:
    """The URL without credentials; None for a kind that has no LFS server, such as a directory."""
    scp = _SCP.fullmatch(url)
    if scp and "://" not in url and len(scp["host"]) > 1:
        url = f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path'].lstrip('/')}"
    return redact(url).partition("#")[0] if url.startswith(("https://", "http://", "ssh://")) else None


def _line(repository: Path, *args: str) -> str | None:
    return os.fsdecode(_git(repository, *args) or b"").strip() or None
