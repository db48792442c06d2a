"""Hashing many files at once: threads over files, progress by bytes, and an end within a moment of Ctrl-C.

What is known already comes from a stat cache, where the caller trusts one (`repro.store.stat_cache`).
"""

import errno
import hashlib
import os
import stat
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from repro.cpus import usable_cpus
from repro.digest import Digest
from repro.progress import Progress, Silent
from repro.store.stat_cache import StatCache

_BLOCK = 1 << 20
_LARGE = 64 << 20
"""Bytes from which files go first, so that no thread is left with one at the end; also what is worth a progress bar."""
_MANY = 5000
_FEW_BYTES = 1 << 20
"""Bytes below which starting threads costs more than it gains."""
_SMALL = 1 << 16
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
_WINDOWS = sys.platform == "win32"
_TICK = 0.1
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's digest, and what the system said of the file before and after it was read."""

    sha256: Digest
    before: os.stat_result
    after: os.stat_result


Outcome = Hashed | OSError


def hash_files(
    paths: Sequence[str],
    *,
    cache: StatCache | None = None,
    progress: Progress | None = None,
    title: str = "Hashing files",
) -> list[Outcome]:
    """Hash files by as many threads as there are CPUs; links are followed.

    Args:
        paths: Their paths.
        cache: Asked first, and told what was hashed; without one, every file is read.
        progress: Shows bytes, rate and time left where there is much to hash.
        title: What to call the task there.

    Returns:
        For each path, in order, its digest, or why it can't be read. Files that change meanwhile aren't noticed here:
        compare `before` and `after`.
    """
    found = [_look(path, cache) for path in paths]
    sizes = {index: one.st_size for index, one in enumerate(found) if isinstance(one, os.stat_result)}
    work = _Work(paths, found, cache, deque(_in_order(sizes)))
    total = sum(sizes.values())
    if total < _FEW_BYTES:
        work.run(0)
    else:
        task = progress if progress is not None and (total >= _LARGE or len(sizes) >= _MANY) else Silent()
        _in_threads(work, min(usable_cpus(), len(sizes)), total, task, title)
    return work.outcomes()


def _look(path: str, cache: StatCache | None) -> "Outcome | os.stat_result":
    """What is known of a file without reading it."""
    try:
        info = os.stat(path)  # noqa: PTH116 - a hundred thousand paths as objects cost a second
    except OSError as error:
        return error
    if not stat.S_ISREG(info.st_mode):
        return OSError(errno.EINVAL, "it is no regular file")
    known = None if cache is None else cache.get(path, info)
    return info if known is None else Hashed(known, info, info)


def _in_order(sizes: dict[int, int]) -> list[int]:
    """The large ones first, the largest in front; the others as they come, as a disk likes them best."""
    large = sorted((index for index in sizes if sizes[index] >= _LARGE), key=lambda index: -sizes[index])
    return [*large, *(index for index in sizes if sizes[index] < _LARGE)]


@dataclass(slots=True)
class _Work:
    """What the threads share. Each writes only to its own places; the deque hands every file to one of them."""

    paths: Sequence[str]
    found: list["Outcome | os.stat_result"]
    cache: StatCache | None
    todo: deque[int]
    read: list[int] = field(default_factory=lambda: [0])
    stopped: bool = False
    failure: BaseException | None = None

    def run(self, worker: int) -> None:
        """Hash files until there are none left, or somebody says stop."""
        block = memoryview(bytearray(_BLOCK))
        while not self.stopped:
            try:
                index = self.todo.popleft()
            except IndexError:
                return
            before = self.found[index]
            if isinstance(before, os.stat_result):
                self.found[index] = self._hash(self.paths[index], before, worker, block)

    def outcomes(self) -> list[Outcome]:
        """What came of each file. Only for when all are done."""
        return [one for one in self.found if not isinstance(one, os.stat_result)]

    def _hash(self, path: str, before: os.stat_result, worker: int, block: memoryview) -> Outcome:
        cache = self.cache
        began = 0 if cache is None else cache.now()
        try:
            handle = os.open(path, _FLAGS)
            try:
                digest = self._content(handle, before.st_size, worker, block)
                after = os.stat(path) if _WINDOWS else os.fstat(handle)  # noqa: PTH116 - as above
            finally:
                os.close(handle)
        except OSError as error:
            return error
        hashed = Hashed(Digest(digest), before, after)
        if cache is not None and not self.stopped:
            cache.put(path, before, after, hashed.sha256, began)
        return hashed

    def _content(self, handle: int, size: int, worker: int, block: memoryview) -> str:
        """The digest of an open file. One of `size` bytes is read by a single call where it is small."""
        if size < _SMALL:
            data = os.read(handle, _SMALL)
            if len(data) == size:
                self.read[worker] += size
                return hashlib.sha256(data).hexdigest()
            os.lseek(handle, 0, os.SEEK_SET)
        hasher = hashlib.sha256()
        with open(handle, "rb", buffering=0, closefd=False) as stream:
            while (count := stream.readinto(block)) and not self.stopped:
                hasher.update(block[:count])  # lets the other threads run
                self.read[worker] += count
        return hasher.hexdigest()


def _in_threads(work: _Work, workers: int, total: int, progress: Progress, title: str) -> None:
    """Have threads do the work. Ctrl-C, or an error in one of them, stops all at their next block."""
    work.read = [0] * workers
    left, done = [workers], threading.Event()
    lock = threading.Lock()

    def run(worker: int) -> None:
        try:
            work.run(worker)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            work.failure, work.stopped = error, True
        finally:
            with lock:
                left[0] -= 1
                if not left[0]:
                    done.set()

    numbers = range(workers)
    threads = [threading.Thread(target=run, args=(number,), name="repro-hash", daemon=True) for number in numbers]
    try:
        for thread in threads:
            thread.start()
        _wait(work, done, total, progress, title)
    finally:
        work.stopped = True
        for thread in threads:
            thread.join(_PATIENCE)  # one that waits for a dead disk ends with the process
    if work.failure is not None:
        raise work.failure


def _wait(work: _Work, done: threading.Event, total: int, progress: Progress, title: str) -> None:
    """Show how far the threads are until all are done."""
    task = progress.start(title, total, "bytes")
    shown = 0
    while not done.wait(_TICK):
        read = sum(work.read)
        task.advance(read - shown)
        shown = read
    task.advance(sum(work.read) - shown)
    task.finish()
