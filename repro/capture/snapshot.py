"""The files of a project at one moment, as the file system describes them, and which of them never count."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORIES = frozenset({".git", ".hg", ".svn"})
CHECKPOINTS = ".ipynb_checkpoints"
"""Jupyter's own folder, beside every file that was edited in it."""
IGNORED_FOLDERS = frozenset(
    {
        *REPOSITORIES,
        CHECKPOINTS,
        "node_modules",
        ".repro",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "repro.baseline",
    }
)
_IGNORED_ENDINGS = (".egg-info", ".dist-info")  # what an editable install or a build leaves
_IGNORED_FILES = frozenset({"repro.lock", ".DS_Store", "Thumbs.db"})
_IGNORED_FILE_BEGINNINGS = (".#", ".~")
_IGNORED_FILE_ENDINGS = ("~", ".swp", ".swo")
_IGNORED_DOTTED_OR_MARKED = re.compile(r"#.*#|\..*\.sw[a-p]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file does: size in bytes, times in nanoseconds since 1970, inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, info: os.stat_result) -> "FileState":
        """The part of a stat that matters here."""
        return cls(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)

    def same_content(self, other: "FileState") -> bool:
        """Whether nothing hints at another content; ctime alone also moves with permissions and links."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The regular files below a root, symbolic links and ignored folders left out.

    Attributes:
        files: POSIX path relative to the root → state.
        taken_ns: When the scan began, nanoseconds since 1970.
        folders: POSIX paths of the folders below the root.
    """

    files: Mapping[str, FileState] = field(default_factory=dict)
    taken_ns: int = 0
    folders: frozenset[str] = frozenset()


def take_snapshot(root: Path) -> Snapshot:
    """Scan a project. Files that vanish meanwhile are left out; folders that can't be listed count as empty."""
    taken = time.time_ns()
    files: dict[str, FileState] = {}
    folders: set[str] = set()
    _scan(os.fspath(root), "", files, folders)
    return Snapshot(files, taken, frozenset(folders))


class Ignored:
    """Whether paths relative to a root never count. Each folder is looked at once, however many files it has."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._folders = {"": False}

    def has(self, path: str) -> bool:
        """Whether a path never counts: its name, or a folder above it that is ignored."""
        folder, _, name = path.rpartition("/")
        return ignored_file(name) or self._folder(folder)

    def _folder(self, path: str) -> bool:
        known = self._folders.get(path)
        if known is None:
            above = path.rpartition("/")[0]
            known = self._folders[path] = self._folder(above) or ignored_folder(f"{self._root}/{path}")
        return known


def ignored(root: Path, path: str) -> bool:
    """Whether one path relative to a root never counts."""
    return Ignored(root).has(path)


def ignored_file(name: str) -> bool:
    """Whether a file's name says that it is an editor's, the system's or our own."""
    return (
        name in _IGNORED_FILES
        or name.endswith(_IGNORED_FILE_ENDINGS)
        or name.startswith(_IGNORED_FILE_BEGINNINGS)
        or (name.startswith((".", "#")) and _IGNORED_DOTTED_OR_MARKED.fullmatch(name) is not None)
    )


def ignored_folder(path: str) -> bool:
    """Whether a folder is a cache, a repository's or a build's own, or a Python environment (virtual or conda's)."""
    name = os.path.basename(path)  # noqa: PTH119 - called for every folder of a scan
    if name in IGNORED_FOLDERS or (name.endswith(_IGNORED_ENDINGS) and os.path.isdir(path)):  # noqa: PTH112 - likewise
        return True
    return any(os.path.lexists(f"{path}/{mark}") for mark in ("pyvenv.cfg", "conda-meta"))


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing when it can't be listed or is gone."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def subfolders(path: str) -> Iterator[os.DirEntry[str]]:
    """The folders directly in a folder that count, links left out."""
    for entry in entries(path):
        if entry.is_dir(follow_symlinks=False) and not ignored_folder(entry.path):
            yield entry


def _scan(folder: str, prefix: str, files: dict[str, FileState], folders: set[str]) -> None:
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            if not ignored_folder(entry.path):
                folders.add(prefix + entry.name)
                _scan(entry.path, f"{prefix}{entry.name}/", files, folders)
        elif entry.is_file(follow_symlinks=False) and not ignored_file(entry.name):
            try:
                files[prefix + entry.name] = FileState.of(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue
