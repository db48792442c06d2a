"""Hashing many files at once: threads over large ones, processes over small ones, and an end soon after Ctrl-C.

What is known already comes from a stat cache, where the caller trusts one (`repro.store.stat_cache`).
"""

import contextlib
import errno
import functools
import os
import queue
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from repro.cpus import usable_cpus
from repro.garbage import no_collection
from repro.progress import Progress, Silent
from repro.store.hashing_processes import Helper, start_helper
from repro.store.hashing_workers import BLOCK, Hashed, Item, Outcome, Work, Worker
from repro.store.stat_cache import StatCache

__all__ = ["Hashed", "Outcome", "hash_files"]

_LARGE = 64 << 20
"""Bytes from which files go first, so that no thread is left with one at the end; also what is worth a progress bar."""
_MANY = 5000
_THREADED = 1 << 16
"""Bytes from which threads hash files side by side; the interpreter, which they share, is too busy with small ones."""
_PER_FILE = 1 << 14
"""What a file costs beside its bytes, in bytes that are hashed in the same time."""
_FEW_BYTES = 2 << 20
"""Work, in bytes, below which starting threads costs more than it gains."""
_BATCH = 8 << 20
"""Work of one batch of small files, in bytes: a hundredth of a second."""
_PER_HELPER = 96 << 20
"""Work with small files, in bytes, for which one more process is worth its start, a fiftieth of a second."""
_TICK = 0.1
_PATIENCE = 0.5


@no_collection()
def hash_files(
    paths: Sequence[str],
    *,
    cache: StatCache | None = None,
    progress: Progress | None = None,
    title: str = "Hashing files",
) -> list[Outcome]:
    """Hash files on all CPUs that this process may use; links are followed.

    Args:
        paths: Their paths.
        cache: Asked first, and told what was hashed; without one, every file is read.
        progress: Shows bytes, rate and time left where there is much to hash.
        title: What to call the task there.

    Returns:
        For each path, in order, its digest, or why it can't be read. Files that change meanwhile aren't noticed here:
        compare `before` and `after`.
    """
    work = Work(paths, cache, [None] * len(paths))
    crew = _Crew(work)
    try:
        survey = _look_at_all(work, crew.help)
        if survey.effort < _FEW_BYTES and not work.helped:
            Worker(work).run()
        else:
            much = survey.total >= _LARGE or survey.files >= _MANY
            crew.finish(survey, progress if progress is not None and much else Silent(), title)
    finally:
        crew.end()
    return work.outcomes()


@dataclass(slots=True)
class _Survey:
    """How much there is to read.

    Attributes:
        files: How many.
        total: Their bytes.
        small: The work with those that are hashed in batches, in bytes.
        threaded: How many are worth a thread.
    """

    files: int = 0
    total: int = 0
    small: int = 0
    threaded: int = 0

    @property
    def effort(self) -> int:
        """The work with all of them, in bytes."""
        return self.total + self.files * _PER_FILE


def _look_at_all(work: Work, small_work: Callable[[int], None]) -> _Survey:
    """Queue what isn't known, small files at once; tells how much work with those there is by now."""
    survey, batch, effort = _Survey(), [], 0
    for index, path in enumerate(work.paths):
        one = _look(path, work.cache)
        if not isinstance(one, os.stat_result):
            work.found[index] = one
            continue
        size = one.st_size
        survey.files += 1
        survey.total += size
        survey.threaded += size >= _THREADED
        if size >= BLOCK:
            work.large.append((index, one))
            continue
        batch.append((index, one))
        effort += size + _PER_FILE
        if effort >= _BATCH:
            work.small.put(batch)
            survey.small += effort
            batch, effort = [], 0
            small_work(survey.small)
    work.small.put(batch)
    work.small.put(None)
    work.large = deque(_in_order(work.large))
    return survey


def _look(path: str, cache: StatCache | None) -> Outcome | os.stat_result:
    """What is known of a file without reading it."""
    try:
        info = os.stat(path)  # noqa: PTH116 - a hundred thousand paths as objects cost a second
    except OSError as error:
        return error
    if not stat.S_ISREG(info.st_mode):
        return OSError(errno.EINVAL, "it is no regular file")
    known = None if cache is None else cache.get(path, info)
    return info if known is None else Hashed(known, info, info)


def _in_order(items: Iterable[Item]) -> list[Item]:
    """The largest in front; those that aren't very large as they come, as a disk likes them best."""
    return sorted(items, key=lambda item: -item[1].st_size if item[1].st_size >= _LARGE else 0)


class _Crew:
    """The threads and processes that hash. Ctrl-C, or an error in one of them, stops all at their next block."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._helpers: list[Helper] = []
        self._most = usable_cpus() - 1
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def help(self, small: int) -> None:
        """Start as many more processes as so much work with small files is worth."""
        while len(self._helpers) < min(self._most, small // _PER_HELPER):
            helper = start_helper()
            if helper is None:
                self._most = 0
                return
            self._helpers.append(helper)
            self._work.helped = True
            worker = Worker(self._work)
            self._start(worker, functools.partial(worker.talk, helper))

    def finish(self, survey: _Survey, progress: Progress, title: str) -> None:
        """Start threads, and show how far they are until all are done."""
        for _ in range(max(1, min(usable_cpus(), survey.threaded))):
            worker = Worker(self._work)
            self._start(worker, worker.run)
        task = progress.start(title, survey.total, "bytes")
        shown, waiting = 0, len(self._threads)
        while waiting:
            with contextlib.suppress(queue.Empty):
                failure = self._ended.get(timeout=_TICK)
                if failure is not None:
                    raise failure
                waiting -= 1
            read = sum(worker.read for worker in self._workers)
            task.advance(read - shown)
            shown = read
        task.finish()

    def end(self) -> None:
        """Have all end. A thread that waits for a dead disk ends with this process."""
        self._work.stop()
        for helper in self._helpers:
            helper.kill()
        for thread in self._threads:
            thread.join(_PATIENCE)
        if not any(thread.is_alive() for thread in self._threads):
            for helper in self._helpers:
                helper.close()

    def _start(self, worker: Worker, task: Callable[[], None]) -> None:
        def run() -> None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                self._ended.put(error)
            else:
                self._ended.put(None)

        self._workers.append(worker)
        thread = threading.Thread(target=run, name="repro-hash", daemon=True)
        thread.start()
        self._threads.append(thread)
