"""A directory written to by names that somebody else chose: no symbolic link is followed, nothing outside is reached.

POSIX only, as root file systems are.
"""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from repro.errors import IntegrityError

_DEEPEST = 100
"""Most components of a path; below that, handles of one branch fit into any process's limit."""
_IMPOSSIBLE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMLINK}
_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

Parts = tuple[str, ...]


def split_path(name: str) -> Parts:
    """The components of a path relative to the root, () for the root itself.

    Raises IntegrityError for an absolute path, for `..`, and for one that is too deep.
    """
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if name.startswith("/") or ".." in parts:
        raise IntegrityError("a path that leads out of the image", where=name)
    if len(parts) > _DEEPEST:
        raise IntegrityError(f"a path of more than {_DEEPEST} components", where=f"{name[:200]}…")
    return parts


@contextlib.contextmanager
def possible(name: str) -> Iterator[None]:
    """Turn what no file system can do with a name into an IntegrityError that quotes it; other OSErrors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _IMPOSSIBLE:
            raise
        raise IntegrityError(f"a path that can't be: {os.strerror(error.errno or 0)}", where=name) from error


class Folder:
    """A directory below which every path is walked component by component.

    Paths are tuples of components as `split_path` gives them. A symbolic link, or a file, where a directory must be
    is an IntegrityError.
    """

    def __init__(self, path: Path) -> None:
        self._root = os.open(path, os.O_RDONLY | _DIRECTORY)
        self._at: Parts = ()
        self._handle = self._root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._root)

    def find(self, parts: Parts) -> int | None:
        """A handle of a directory, valid until the next call of any method; None when there is none."""
        try:
            return self._walk(parts, make=False)
        except FileNotFoundError:
            return None

    def make(self, parts: Parts) -> int:
        """A handle of a directory as `find` gives it; it and its parents are made, mode 0755, where missing."""
        return self._walk(parts, make=True)

    def remove(self, parts: Parts) -> None:
        """Remove whatever is there, with all below it; nothing being there is fine."""
        parent = self.find(parts[:-1])
        if parent is not None:
            remove_in(parent, parts[-1])

    def empty(self, parts: Parts) -> None:
        """Remove everything in a directory, if there is one."""
        handle = self.find(parts)
        for name in [] if handle is None else os.listdir(handle):  # noqa: PTH208 - a handle
            remove_in(handle, name)

    def _walk(self, parts: Parts, *, make: bool) -> int:
        if self._at and self._at == parts:
            return self._handle
        self._leave()
        for number, name in enumerate(parts):
            with possible("/".join(parts[: number + 1])):
                self._enter(name, make=make)
        self._at = parts
        return self._handle

    def _enter(self, name: str, *, make: bool) -> None:
        try:
            below = os.open(name, os.O_RDONLY | _DIRECTORY, dir_fd=self._handle)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, dir_fd=self._handle)
            below = os.open(name, os.O_RDONLY | _DIRECTORY, dir_fd=self._handle)
            os.fchmod(below, 0o755)  # whatever the umask is
        if self._handle != self._root:
            os.close(self._handle)
        self._handle = below

    def _leave(self) -> None:
        if self._handle != self._root:
            os.close(self._handle)
        self._handle, self._at = self._root, ()


def remove_in(handle: int | None, name: str) -> None:
    """Remove `name` in the directory `handle`, with all below it; nothing being there is fine."""
    try:
        os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):  # the latter is what POSIX and macOS say of directories
        shutil.rmtree(name, dir_fd=handle)


def remove_tree(path: Path) -> None:
    """Remove a directory of ours, whatever modes the directories in it have and however deep they are.

    Every directory is moved up before it is emptied: so no path gets too long, and nothing is nested in a call stack.
    """
    todo, prefix = [path], f".{uuid.uuid4().hex}-"
    number = 0
    while todo:
        folder = todo.pop()
        for entry in _entries(folder):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108 - as scandir gives it
                continue
            number += 1
            todo.append(path / f"{prefix}{number}")
            os.chmod(entry.path, 0o700)  # noqa: PTH101 - moving a directory writes to it
            os.rename(entry.path, todo[-1])  # noqa: PTH104 - as scandir gives it
        if folder != path:
            folder.rmdir()
    path.rmdir()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    folder.chmod(0o700)
    with os.scandir(folder) as found:
        return list(found)
