"""Throw-away directories of one run, on disk, beside a note of the control groups that have to go with them."""

import contextlib
import errno
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.engines.archive import MOST_COLLECTED, MOST_FILES
from repro.engines.bubblewrap.groups import remove_groups
from repro.engines.failures import to_the_end
from repro.errors import IntegrityError
from repro.files import disk_errors
from repro.flock import is_at, lock
from repro.oci.folders import remove_tree
from repro.store.cache import cache_directory

_LOCK = "lock"
_GROUPS = "groups.json"
_ANYBODY = 0o1777


def runs_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where runs have their directories: in the cache, because /tmp is memory on many machines."""
    return cache_directory(environ) / "sandboxes"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The directories of one run.

    Attributes:
        name: Unique, `repro-<32 hex digits>`.
        path: Where they are.
    """

    name: str
    path: Path

    def note_groups(self, folders: Mapping[str, Path]) -> None:
        """Remember control groups before they are made, for whoever cleans up if this process is killed."""
        (self.path / _GROUPS).write_text(json.dumps([str(folder) for folder in folders.values()]), encoding="utf-8")

    def directory(self, name: str, mode: int = _ANYBODY) -> Path:
        """A new empty directory."""
        made = self.path / name
        made.mkdir()
        made.chmod(mode)
        return made


@contextlib.contextmanager
def scratch(runs: Path) -> Iterator[Scratch]:
    """Directories of a new run, removed when the context ends, whatever happens.

    What runs of killed processes have left is removed first.
    """
    with disk_errors(runs):
        runs.mkdir(parents=True, exist_ok=True)
        _sweep(runs)
        name = f"repro-{uuid.uuid4().hex}"
        found = Scratch(name, runs / name)
        handle = None
        try:
            handle = _begin(found.path)
            yield found
        finally:
            if handle is not None:
                os.close(handle)
            to_the_end(lambda: _remove(found.path))


def take_over(source: Path, target: Path) -> None:
    """Move the regular files below one directory into another, empty one; whatever else is there is left out.

    Raises IntegrityError for more than `MOST_COLLECTED` bytes or `MOST_FILES` files and directories, and for paths
    that are too long.
    """
    left, count = MOST_COLLECTED, 0
    with _possible(source):
        for path, size in _walk(source):
            count += 1
            left -= size or 0
            if left < 0 or count > MOST_FILES:
                most = f"{MOST_COLLECTED >> 20} MiB or {MOST_FILES} files"
                raise IntegrityError(f"more than {most} to take out of the sandbox", where=str(path))
            if size is not None:
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.chmod(0o644)
                shutil.move(path, place)


@contextlib.contextmanager
def _possible(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise IntegrityError("the run left a path that is too long", where=source.name) from error


def remove_run(path: Path) -> bool:
    """Remove the directory of a run and its control groups unless its process lives; says whether it is gone."""
    try:
        handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return not path.exists()
    try:
        if not lock(handle, wait=False):
            return False
        remove_groups(_noted(path))
        _remove(path)
    finally:
        os.close(handle)
    return True


def _begin(path: Path) -> int:
    """Make the directory of a run; it is in use until the handle is closed."""
    while True:
        path.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            lock(handle)
            if is_at(handle, path / _LOCK):
                return handle
            os.close(handle)  # somebody took it for a leftover before it was locked


def _sweep(runs: Path) -> None:
    """Remove the directories whose process is gone."""
    for path in runs.iterdir():
        with contextlib.suppress(OSError):
            remove_run(path)


def _noted(path: Path) -> list[Path]:
    try:
        return [Path(folder) for folder in json.loads((path / _GROUPS).read_bytes())]
    except (OSError, ValueError):
        return []


def _remove(path: Path) -> None:
    if path.exists():
        remove_tree(path)


def _walk(top: Path) -> Iterator[tuple[Path, int | None]]:
    """Every regular file below a directory with its size, and everything else with None."""
    todo = [top]
    while todo:
        folder = todo.pop()
        folder.chmod(0o700)  # the sandbox's processes may have closed it
        for path in sorted(folder.iterdir()):
            found = path.lstat()
            yield path, found.st_size if stat.S_ISREG(found.st_mode) else None
            if stat.S_ISDIR(found.st_mode):
                todo.append(path)
