"""What scripts changed in an environment that was laid out on disk, as entries of a layer. Nothing is run here."""

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro.digest import Digest
from repro.errors import CaptureError
from repro.oci.bodies import FileBody
from repro.oci.entry import Body, Entry
from repro.oci.tar import MTIME
from repro.store import ObjectStore

FORMAT = 1
"""Version of how scripts are run and of what is made of their changes; raised when either would give other files."""
SKIP = "Name the packages in skip-scripts instead of run-scripts, under [conda] in repro.toml, and capture again."
"""The way out where a script can't be run, or did what can't be kept."""

_OPEN = 0o755
_OWNER_EXECUTES = 0o100
_FILE, _PROGRAM, _LINK = 0o644, 0o755, 0o777
_CACHE = "__pycache__"


@dataclass(frozen=True, slots=True)
class Seen:
    """A path as it is on disk.

    Attributes:
        kind: `file`, `directory`, `symlink`, or `special` for what no image may have.
        executable: Whether the owner of a file may execute it.
        target: Text of a symbolic link.
        size: Bytes of a file.
        stamp: Inode and times of a file: others after every change, whatever somebody sets its time to.
    """

    kind: str
    executable: bool = False
    target: str = ""
    size: int = 0
    stamp: tuple[int, ...] = ()


def look(folder: Path) -> dict[str, Seen]:
    """Everything below a directory, by its path there. What its owner may not enter is opened."""
    found: dict[str, Seen] = {}
    todo = [""]
    while todo:
        above = todo.pop()
        here = folder / above
        here.chmod(_OPEN)
        with os.scandir(here) as entries:
            for entry in entries:
                path = f"{above}/{entry.name}".lstrip("/")
                found[path] = seen = _seen(entry)
                if seen.kind == "directory":
                    todo.append(path)
    return found


def _seen(entry: os.DirEntry[str]) -> Seen:
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return Seen("directory")
    if stat.S_ISLNK(status.st_mode):
        return Seen("symlink", target=os.readlink(entry.path))  # noqa: PTH115 - as scandir gives it
    if not stat.S_ISREG(status.st_mode):
        return Seen("special")
    stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return Seen("file", bool(status.st_mode & _OWNER_EXECUTES), size=status.st_size, stamp=stamp)


@dataclass(frozen=True, slots=True)
class Linked:
    """What was laid out.

    Attributes:
        prefix: Where the environment is in the image.
        entries: Its completed entries by path below that, hard links among them.
        compiled: Whether its modules are compiled from what was laid out.
    """

    prefix: PurePosixPath
    entries: Mapping[str, Entry]
    compiled: bool

    def unchanged(self, path: str, folder: Path, now: Seen) -> bool:
        """Whether a path on disk has the kind, mode and content that was laid out."""
        was = self.entries.get(path)
        if was is None:
            return False
        if was.kind in {"directory", "symlink"} or now.kind != "file":
            return (was.kind, was.target) == (now.kind, now.target)
        body = self._body(was)
        if body is None or body.size != now.size or (was.mode == _PROGRAM) != now.executable:
            return False
        return _digest(body) == _digest_on_disk(folder / path)

    def _body(self, entry: Entry) -> Body | None:
        if entry.kind == "hardlink":
            return self.entries[self.below(entry.target)].body
        return entry.body

    def below(self, path: str) -> str:
        """A path of the image, relative to the prefix."""
        return path.removeprefix(f"{self.prefix.relative_to('/')}/")


def changes(folder: Path, touched: Mapping[str, str], linked: Linked, store: ObjectStore) -> list[Entry]:
    """What differs from what was laid out, as entries of the image.

    Bytecode that scripts leave by running Python is not taken over: images have their own.

    Args:
        folder: The environment on disk.
        touched: Paths below it where something happened → the package whose script did that last.
        linked: What was laid out.
        store: Takes the contents of files.

    Raises:
        CaptureError: A script removed what a package brings, or did what no layer can hold; all of that is named.
    """
    now = look(folder)
    entries, problems = [], []
    for path, label in sorted(touched.items()):
        seen = now.get(path)
        if _is_bytecode(path) or (seen is not None and linked.unchanged(path, folder, seen)):
            continue
        problem = _problem(path, seen, linked)
        if problem:
            problems.append(f"{label}: {path} {problem}")
        elif seen is not None:
            place = f"{linked.prefix.relative_to('/')}/{path}"
            entries.append(_entry(place, seen, folder / path, f"the post-link script of {label}", store))
    if problems:
        raise CaptureError("post-link scripts did what can't be kept in a layer", problems=problems, fix=SKIP)
    return entries


def restore(folder: Path, touched: Collection[str], linked: Linked) -> None:
    """Lay out again what was touched, where nothing was removed, so that scripts find it as the first time."""
    was = linked.entries
    for path in sorted(touched, reverse=True):
        place = folder / path
        if not place.is_dir() or place.is_symlink():
            place.unlink(missing_ok=True)
        elif path not in was or was[path].kind != "directory":
            place.rmdir()
    known = (path for path in touched if path in was)
    for path in sorted(known, key=lambda path: (was[path].kind == "hardlink", path)):
        _lay_out(folder / path, was[path], folder, linked)
    settle(folder, linked)


def settle(folder: Path, linked: Linked) -> None:
    """Give every directory the time that all files have; laying out what is in it has changed that."""
    for path in ("", *(path for path, entry in linked.entries.items() if entry.kind == "directory")):
        os.utime(folder / path, (MTIME, MTIME))


def _lay_out(place: Path, entry: Entry, folder: Path, linked: Linked) -> None:
    match entry.kind:
        case "directory":
            place.mkdir(exist_ok=True)
        case "symlink":
            place.symlink_to(entry.target)
        case "hardlink":
            place.hardlink_to(folder / linked.below(entry.target))
        case "file" if entry.body is not None:
            with place.open("xb") as stream:
                stream.writelines(entry.body.plain())
            place.chmod(entry.mode)
            os.utime(place, (MTIME, MTIME))


def _is_bytecode(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[-1] == _CACHE or (_CACHE in parts and path.endswith(".pyc"))


def _problem(path: str, now: Seen | None, linked: Linked) -> str | None:
    was = linked.entries.get(path)
    if now is None:
        return "was removed" if was is not None else None
    if now.kind == "special":
        return "is neither a file, a directory nor a symbolic link"
    if linked.compiled and path.endswith(".py") and was is not None:
        return "was changed, and the image has bytecode of what its package brings"
    return None


def _entry(place: str, now: Seen, file: Path, origin: str, store: ObjectStore) -> Entry:
    if now.kind == "directory":
        return Entry(place, "directory", _PROGRAM, origin=origin)
    if now.kind == "symlink":
        return Entry(place, "symlink", _LINK, target=now.target, origin=origin)
    file.chmod(_FILE)
    digest = store.add_file(file)
    body = FileBody(store.path(digest), now.size, digest, f"{origin}: /{place}")
    return Entry(place, "file", _PROGRAM if now.executable else _FILE, body, origin=origin)


def _digest(body: Body) -> Digest:
    hasher = hashlib.sha256()
    for block in body.plain():
        hasher.update(block)
    return Digest(hasher.hexdigest())


def _digest_on_disk(file: Path) -> Digest:
    file.chmod(_FILE)
    return Digest.of_file(file)
