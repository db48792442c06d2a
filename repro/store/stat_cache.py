"""Digests of files that have not changed since they were hashed, told by what only the system can set.

A cache for captures alone: builds and verifications hash everything. It can't lie about a file that was changed in any
way that its file system notes: device, inode, size, modification time and change time must all be what they were.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.digest import Digest
from repro.errors import ReproError
from repro.files import atomic_write
from repro.garbage import no_collection
from repro.store.cache import cache_directory
from repro.store.objects import keep_out_of_git

_FORMAT = b"repro.hashes/1 "
_RACY = 2_000_000_000
"""Nanoseconds: what changed this shortly before it was hashed may change again without another change time (the same
rule as git's; file systems count time in steps of up to two seconds)."""
_HOUR = 3_600_000_000_000
_PRIVATE = 0o600
_Key = list[int]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time as a project's file system sets it.

    Attributes:
        device: Its number.
        offset: How far it is ahead of this machine's clock, nanoseconds.
    """

    device: int
    offset: int

    def now(self) -> int:
        """Nanoseconds since 1970. The earlier of both clocks: nothing may seem older than it is."""
        return time.time_ns() + min(self.offset, 0)


class StatCache:
    """Digests by path. Safe for threads and, as files are replaced whole, for several processes.

    Entries exist only for files on the project's own file system, and only where that keeps a change time which nobody
    can set: elsewhere, and on Windows, the cache stays empty.
    """

    def __init__(self, file: Path, clock: Clock | None) -> None:
        self._file = file
        self._clock = clock
        self._known = {} if clock is None else _load(file)
        self._new: dict[str, tuple[_Key, str]] = {}
        self._seen: set[str] = set()

    def now(self) -> int:
        """The time to hand to `put`, asked for before a file is read."""
        return 0 if self._clock is None else self._clock.now()

    def get(self, path: str, info: os.stat_result) -> Digest | None:
        """The digest of a file that is now as `info` says, if it was hashed when it was just so."""
        known = self._known.get(path)
        if known is None or known[0] != _key(info):
            return None
        self._seen.add(path)
        return Digest(known[1])

    def put(self, path: str, before: os.stat_result, after: os.stat_result, digest: Digest, began: int) -> None:
        """Remember a file that was hashed, unless it changed meanwhile or shortly before `began`."""
        clock = self._clock
        if clock is None or before.st_dev != clock.device or _key(before) != _key(after):
            return
        if max(after.st_mtime_ns, after.st_ctime_ns) < began - _RACY:
            self._new[path] = (_key(after), digest.hex)

    def save(self) -> None:
        """Write down what is new, beside what others wrote meanwhile; a disk that refuses costs only the time."""
        if not self._new:
            return
        kept = {path: one for path, one in _load(self._file).items() if path in self._seen or _is_still(path, one[0])}
        data = json.dumps({**kept, **self._new}, separators=(",", ":")).encode()
        try:
            atomic_write(self._file, _sealed(data), _PRIVATE, durable=False)
        except (ReproError, OSError):
            return
        self._new.clear()


def open_stat_cache(root: Path, environ: Mapping[str, str] = os.environ) -> StatCache:
    """The cache of one project: a file in the user's cache, because it means nothing on another machine.

    Asks the project's file system for its time by a temporary file in `.repro`.
    """
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    return StatCache(cache_directory(environ) / "hashes" / f"{name}.json", _clock(root))


def _clock(root: Path) -> Clock | None:
    """The file system's clock; None where change times can't be relied on.

    FAT has none and shows the modification time instead, which anybody can set; Windows has the time of creation.
    """
    if sys.platform == "win32":
        return None
    home = root / ".repro"
    try:
        home.mkdir(exist_ok=True)
        keep_out_of_git(home)
        now = time.time_ns()
        with tempfile.TemporaryFile(dir=home) as probe:
            made = os.fstat(probe.fileno())
            os.utime(probe.fileno(), ns=(made.st_mtime_ns - _HOUR, made.st_mtime_ns - _HOUR))
            set_back = os.fstat(probe.fileno())
    except (ReproError, OSError):
        return None
    honest = set_back.st_mtime_ns < made.st_mtime_ns and set_back.st_ctime_ns >= made.st_ctime_ns
    return Clock(made.st_dev, made.st_ctime_ns - now) if honest else None


def _key(info: os.stat_result) -> _Key:
    return [info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns]


def _is_still(path: str, key: _Key) -> bool:
    try:
        return _key(os.stat(path)) == key  # noqa: PTH116 - of very many files
    except OSError:
        return False


@no_collection()
def _load(file: Path) -> dict[str, tuple[_Key, str]]:
    """What a file says if it is whole, down to the last bit; else nothing."""
    try:
        data = file.read_bytes()
    except OSError:
        return {}
    seal, _, content = data.partition(b"\n")
    if _sealed(content) != data or not seal:
        return {}
    return {path: (key, digest) for path, (key, digest) in json.loads(content).items()}


def _sealed(content: bytes) -> bytes:
    return _FORMAT + hashlib.sha256(content).hexdigest().encode() + b"\n" + content
