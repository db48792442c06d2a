"""Paths as the processes in a root file system see them, and the files behind them, without entering it."""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro.engines.archive import MOST_BYTES
from repro.errors import IntegrityError, UsageError

_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is: numeric user and group, and the home directory."""

    uid: int
    gid: int
    home: str


def resolve(root: Path, path: str) -> Path | None:
    """Where on this machine an absolute path leads that is seen from `root`; None when it leads to nothing.

    Symbolic links are followed as the kernel would after chroot(2): none leads out.
    """
    todo, links = _parts(path), 0
    done: list[str] = []
    while todo:
        name = todo.pop(0)
        if name == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, name)
        if not here.is_symlink():
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        target = str(here.readlink())
        done = [] if target.startswith("/") else done
        todo = _parts(target) + todo
    found = root.joinpath(*done)
    return found if os.path.lexists(found) else None


def read_below(root: Path, path: PurePosixPath, where: str) -> dict[str, bytes]:
    """Regular files at or below `path`, as `Engine.read_files` gives them; links below it are left out.

    Raises:
        UsageError: There is no such path.
        IntegrityError: There is more than can be read.
    """
    start = resolve(root, str(path))
    if start is None:
        raise UsageError("the image has no such path", where=f"{where}: {path}")
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    for file in _files(start):
        left -= file.lstat().st_size
        if left < 0:
            raise IntegrityError(f"more than {MOST_BYTES >> 20} MiB to read from the image", where=str(path))
        files["" if file == start else file.relative_to(start).as_posix()] = file.read_bytes()
    return files


def identity(root: Path, user: str, where: str) -> Identity:
    """Who `user` is (`uid`, `uid:gid`, or names of /etc/passwd and /etc/group), and where at home.

    Raises UsageError when a name is unknown.
    """
    name, _, group = user.partition(":")
    entry = next((line for line in _table(root, "/etc/passwd") if (name or "0") in {line[0], line[2]}), None)
    if entry is None and not (name or "0").isdecimal():
        raise UsageError(f"the image has no user {name}", where=where)
    uid = int(entry[2]) if entry else int(name)
    home = entry[5] if entry and len(entry) > 5 else ""  # noqa: PLR2004 - its place in a line of passwd(5)
    return Identity(uid, _group(root, group, entry, where), home or "/")


def find_command(root: Path, command: str, directory: str, search: str) -> Path | None:
    """The file that execvp(3) would run for `command` in `directory` with this PATH, or None."""
    folders = [""] if "/" in command else search.split(":")
    for folder in folders:
        found = resolve(root, posixpath.join(directory, folder, command))
        if found is not None and found.is_file() and found.stat().st_mode & 0o111:
            return found
    return None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _files(start: Path) -> Iterator[Path]:
    if stat.S_ISREG(start.lstat().st_mode):
        yield start
    for folder, names, files in os.walk(start):
        names.sort()
        for name in sorted(files):
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                yield file


def _table(root: Path, path: str) -> list[list[str]]:
    """The lines of passwd(5) or group(5), in fields; those that are none are left out."""
    found = resolve(root, path)
    if found is None or not found.is_file():
        return []
    lines = found.read_text(encoding="utf-8", errors="replace").splitlines()
    fields = [line.split(":") for line in lines]
    return [line for line in fields if len(line) > 3 and line[2].isdecimal()]  # noqa: PLR2004 - as both formats have


def _group(root: Path, group: str, entry: list[str] | None, where: str) -> int:
    if not group:
        return int(entry[3]) if entry and entry[3].isdecimal() else 0
    if group.isdecimal():
        return int(group)
    found = next((line for line in _table(root, "/etc/group") if line[0] == group), None)
    if found is None:
        raise UsageError(f"the image has no group {group}", where=where)
    return int(found[2])
