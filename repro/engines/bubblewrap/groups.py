"""Limits that the kernel keeps: a control group of its own for one sandbox, where this user may make one.

Version 2 where it has the memory and pids controllers (Linux, admin-guide/cgroup-v2.rst), else version 1.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CONTROLLERS = ("memory", "pids")
_MEMBERS = "cgroup.procs"
_LOOKS = 50
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Group:
    """A control group: one directory in version 2, one for each controller in version 1.

    Attributes:
        folders: Its directories, by where a process in the sandbox looks for each.
    """

    folders: Mapping[str, Path]

    def join(self, pid: int) -> None:
        """Move a process in. Raises OSError."""
        for folder in set(self.folders.values()):
            (folder / _MEMBERS).write_text(str(pid), encoding="ascii")

    def oom_killed(self) -> bool:
        """Whether the kernel killed something in it for want of memory."""
        return any(
            _counter(folder / name, "oom_kill") > 0
            for folder in self.folders.values()
            for name in ("memory.events", "memory.oom_control")
        )


def group_folders(
    name: str,
    mounts: Path = Path("/proc/self/mountinfo"),
    membership: Path = Path("/proc/self/cgroup"),
) -> dict[str, Path]:
    """Where a group called `name` can be made, as `Group.folders` has them; empty where this user can make none."""
    own = dict(_membership(membership))
    found = _mounted(mounts)
    if "" in found and "" in own:
        parent = _delegated(found[""], own[""])
        if parent is not None:
            return {"/sys/fs/cgroup": parent / name}
    if all(controller in found and controller in own for controller in _CONTROLLERS):
        parents = {controller: _writable(found[controller], own[controller]) for controller in _CONTROLLERS}
        return {f"/sys/fs/cgroup/{key}": parent / name for key, parent in parents.items() if parent is not None}
    return {}


@contextlib.contextmanager
def limited_group(folders: Mapping[str, Path], memory: int | None, pids: int) -> Iterator[Group | None]:
    """A new group with these limits, removed when the context ends; None when the kernel doesn't let us.

    Args:
        folders: From `group_folders`.
        memory: Bytes, swap included, or None.
        pids: Most processes and threads.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(remove_groups, list(folders.values()))
        yield Group(folders) if folders and _made(folders, memory, pids) else None


def remove_groups(folders: Sequence[Path]) -> None:
    """Remove groups, if they are there and empty; the kernel may need a moment to see that the last process is gone."""
    for folder in folders:
        for _ in range(_LOOKS):
            try:
                folder.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(_PAUSE)
            else:
                break


def _made(folders: Mapping[str, Path], memory: int | None, pids: int) -> bool:
    try:
        for folder in set(folders.values()):
            folder.mkdir()
            _limit(folder, memory, pids)
    except OSError:
        return False
    return True


def _limit(folder: Path, memory: int | None, pids: int) -> None:
    if memory is not None:
        _write(folder / "memory.max", memory)
        _write(folder / "memory.swap.max", 0)
        _write(folder / "memory.limit_in_bytes", memory)
        _write(folder / "memory.memsw.limit_in_bytes", memory)
    _write(folder / "pids.max", pids)


def _write(path: Path, value: int) -> None:
    """Set a limit, where the kernel has it: that on swap may be switched off."""
    if path.exists():
        path.write_text(str(value), encoding="ascii")


def _membership(path: Path) -> Iterator[tuple[str, str]]:
    """Controller ("" for version 2) → our group's path in its hierarchy (cgroups(7))."""
    for line in _read(path).splitlines():
        _, controllers, place = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, place


def _mounted(path: Path) -> dict[str, tuple[Path, str]]:
    """Controller ("" for version 2) → where its hierarchy is mounted, and which group is the root there (proc(5))."""
    found = {}
    for line in _read(path).splitlines():
        before, _, after = line.partition(" - ")
        fields, kind, *_, options = before.split(" "), *after.split(" ")
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            found[name] = (Path(fields[4]), fields[3])
    return found


def _own_folder(mount: tuple[Path, str], place: str) -> Path:
    """The directory of our group: `place` is seen from the hierarchy's root, the mount may begin further down."""
    point, root = mount
    below = place.removeprefix(root) if root != "/" and place.startswith(root) else place
    return point / below.lstrip("/")


def _delegated(mount: tuple[Path, str], place: str) -> Path | None:
    """The nearest group above ours whose children have both controllers, and where we may make one and move to it."""
    own = _own_folder(mount, place)
    for folder in (own, *own.parents):
        enabled = _read(folder / "cgroup.subtree_control").split()
        if set(_CONTROLLERS) <= set(enabled) and os.access(folder, os.W_OK) and os.access(folder / _MEMBERS, os.W_OK):
            return folder
        if folder == mount[0]:
            break
    return None


def _writable(mount: tuple[Path, str], place: str) -> Path | None:
    own = _own_folder(mount, place)
    return own if os.access(own, os.W_OK) and os.access(own / _MEMBERS, os.W_OK) else None


def _counter(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
