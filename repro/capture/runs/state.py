"""The project as it was: what a run left is put away before the next one, so that each starts from the same files."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.capture.snapshot import FileState, Snapshot, entries, ignored_folder, take_snapshot
from repro.files import atomic_file, disk_errors

KEPT_UP_TO = 64 << 20
"""Bytes of the largest file that is copied; runs seldom change larger ones in place."""

_KEPT_IN_ALL = 4 << 30


@dataclass(frozen=True, slots=True)
class Tree:
    """What is in a project at one moment, paths relative to its root; ignored folders left out.

    Attributes:
        files: Regular files.
        links: Symbolic links and where they lead.
        folders: Folders.
        places: Where copies of files are, by the same paths; the first that has one counts.
    """

    files: dict[str, FileState]
    links: dict[str, str]
    folders: frozenset[str]
    places: tuple[Path, ...] = ()

    def copy_of(self, path: str) -> Path | None:
        """A file's content, where it was kept."""
        return next((place / path for place in self.places if (place / path).is_file()), None)


class ProjectState:
    """Keeps what a project's files were before the first of several runs.

    Args:
        root: Project root, absolute, links resolved.
        scratch: An empty folder outside of what snapshots see; the caller removes it.

    Attributes:
        lost: Files that a run changed and that nothing brings back: they were too large to be kept.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch
        self.lost: set[str] = set()
        self._before = _look(root, scratch / "before")
        self._first: Tree | None = None
        room = _KEPT_IN_ALL
        for path, state in sorted(self._before.files.items(), key=lambda item: item[1].size):
            room -= state.size
            if state.size > KEPT_UP_TO or room < 0:
                break
            with contextlib.suppress(FileNotFoundError):
                _copy(root / path, scratch / "before" / path)

    def first_run_ended(self) -> None:
        """Keep what the first run left, which is what the project shall have in the end."""
        tree = _look(self._root, self._scratch / "first")
        self._first = Tree(tree.files, tree.links, tree.folders, (*tree.places, *self._before.places))
        for path in changed_files(self.before, Snapshot(tree.files)):
            _copy(self._root / path, self._scratch / "first" / path)

    @property
    def before(self) -> Snapshot:
        """The files before the first run."""
        return Snapshot(self._before.files)

    def restore(self) -> None:
        """Make the project what it was before the first run."""
        self._make(self._before)

    def finish(self) -> None:
        """Make the project what the first run left."""
        if self._first is not None:
            self._make(self._first)

    def _make(self, wanted: Tree) -> None:
        now = _look(self._root)
        with disk_errors(self._root):
            for path in (now.files.keys() - wanted.files) | {
                path for path, leads in now.links.items() if wanted.links.get(path) != leads
            }:
                (self._root / path).unlink(missing_ok=True)
            for path in sorted(now.folders - wanted.folders, reverse=True):
                with contextlib.suppress(OSError):  # something that isn't ours to see is in it
                    (self._root / path).rmdir()
            for path in sorted(wanted.folders):
                (self._root / path).mkdir(exist_ok=True)
            for path, leads in wanted.links.items():
                if now.links.get(path) != leads:
                    (self._root / path).symlink_to(leads)
            for path, state in list(wanted.files.items()):
                if path not in now.files or not state.same_content(now.files[path]):
                    self._bring(path, wanted)

    def _bring(self, path: str, wanted: Tree) -> None:
        copy = wanted.copy_of(path)
        if copy is None:
            self.lost.add(path)
            return
        _copy(copy, self._root / path)
        wanted.files[path] = FileState.of((self._root / path).stat())


def changed_files(before: Snapshot, now: Snapshot) -> list[str]:
    """Files that were made or changed in between, sorted."""
    old = before.files
    return sorted(path for path, state in now.files.items() if path not in old or not old[path].same_content(state))


@contextlib.contextmanager
def kept_state(root: Path, scratch: Path) -> Iterator[ProjectState]:
    """The state of a project while it runs several times; in the end, Ctrl-C included, it is as the first run left it.

    Raises:
        InfrastructureError: There is no room for the copies.
    """
    with disk_errors(scratch):
        scratch.mkdir(parents=True)
    try:
        state = ProjectState(root, scratch)
        try:
            yield state
        finally:
            state.finish()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _look(root: Path, *places: Path) -> Tree:
    links: dict[str, str] = {}
    folders: set[str] = set()
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        for entry in entries(os.fspath(root / prefix)):
            path = prefix + entry.name
            if entry.is_symlink():
                links[path] = os.readlink(entry.path)  # noqa: PTH115 - a DirEntry's own path
            elif entry.is_dir() and not ignored_folder(entry.path):
                folders.add(path)
                waiting.append(f"{path}/")
    return Tree(dict(take_snapshot(root).files), links, frozenset(folders), places)


def _copy(source: Path, target: Path) -> None:
    """A copy with the times of its source; nobody ever sees half of it."""
    info = source.stat()
    with source.open("rb") as stream, atomic_file(target, info.st_mode & 0o777, durable=False) as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
