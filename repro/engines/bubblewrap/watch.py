"""Limits where the kernel keeps none for us: how much memory a sandbox uses, looked at again and again."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from repro.errors import InfrastructureError

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EXACT = re.compile(rb"^(Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$", re.MULTILINE)
_MEMORY_FILES = ("tmp", "dev/shm")


class MemoryWatch:
    """The memory of a sandbox: its processes and its files in memory, without what the kernel can drop at any time.

    Only to be asked once the sandbox is made: before, its first process sees those of this machine.

    Args:
        init: The sandbox's first process, seen from here.
        most: Bytes.
    """

    def __init__(self, init: int, most: int) -> None:
        self._root = Path(f"/proc/{init}/root")
        self._most = most

    def exceeded(self) -> bool:
        """Whether more is used than allowed: counted exactly only where a cheap count, which is too high, says so.

        Raises InfrastructureError when this user may not look.
        """
        return self._files() + sum(self._rough()) > self._most and self._exact() > self._most

    def _rough(self) -> Iterator[int]:
        for process in self._processes():
            fields = _read(process / "statm").split()
            if len(fields) > 1:
                yield int(fields[1]) * _PAGE

    def _exact(self) -> int:
        """Proportional shares; mapped files in memory are counted once, as what is larger: the maps or the files."""
        used = {b"Pss_Anon": 0, b"Pss_Shmem": 0, b"SwapPss": 0}
        for process in self._processes():
            for name, kilobytes in _EXACT.findall(_read(process / "smaps_rollup")):
                used[name] += int(kilobytes) << 10
        return used[b"Pss_Anon"] + used[b"SwapPss"] + max(used[b"Pss_Shmem"], self._files())

    def _files(self) -> int:
        total = 0
        for path in _MEMORY_FILES:
            try:
                found = os.statvfs(self._root / path)
            except OSError:
                continue
            total += (found.f_blocks - found.f_bfree) * found.f_frsize
        return total

    def _processes(self) -> Iterator[Path]:
        """The sandbox's own /proc shows exactly its processes."""
        try:
            names = os.listdir(self._root / "proc")  # noqa: PTH208 - hundreds of times a minute
        except PermissionError as error:
            raise InfrastructureError("the memory of the sandbox can't be watched", where=str(self._root)) from error
        except OSError:  # it has just ended
            return
        for name in names:
            if name.isdigit():
                yield self._root / "proc" / name


def _read(path: Path) -> bytes:
    """What a file of /proc says, nothing when its process has just ended."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
