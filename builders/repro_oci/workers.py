"""Several processes that assemble layers, this one included. Jobs and results go through pipes."""

import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO

from repro.errors import InfrastructureError
from repro_oci.cache import CachedLayer, LayerCache
from repro_oci.jobs import Job, assemble

_COMMAND = ("-P", "-m", "repro_oci.worker")
"""What a helper runs; the working directory is the user's, so nothing may be imported from it."""

_Outcome = tuple[Job, CachedLayer | BaseException]


def in_processes(jobs: Sequence[Job], cache: LayerCache, workers: int) -> Iterator[tuple[Job, CachedLayer]]:
    """Make layers in `workers` processes, in about the order of `jobs`; gives each as it is done.

    This process works, too: helpers take a moment to start. When it is interrupted or a layer fails, no other is
    begun; those that helpers are making are finished and wait in the cache. Helpers end when this process does.

    Raises as `repro_oci.jobs.assemble` does, and InfrastructureError when a helper was killed.
    """
    waiting = deque(jobs)
    outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
    with ExitStack() as helpers:
        helpers.callback(waiting.clear)
        for _ in range(workers - 1):
            helpers.enter_context(_Helper(waiting, outcomes, cache))
        for _ in jobs:
            yield _next(waiting, outcomes, cache)
        waiting.clear()


def _next(waiting: "deque[Job]", outcomes: "queue.SimpleQueue[_Outcome]", cache: LayerCache) -> tuple[Job, CachedLayer]:
    """A result of a helper where there is one, else one of this process's own."""
    if outcomes.empty() and (job := _take(waiting)) is not None:
        return job, assemble(job, cache)
    job, outcome = outcomes.get()
    if isinstance(outcome, BaseException):
        raise outcome
    return job, outcome


def _take(waiting: "deque[Job]") -> Job | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


class _Helper:
    """One more process, and the thread that talks to it."""

    def __init__(self, waiting: "deque[Job]", outcomes: "queue.SimpleQueue[_Outcome]", cache: LayerCache) -> None:
        self._waiting = waiting
        self._outcomes = outcomes
        self._cache = cache
        self._process = subprocess.Popen([sys.executable, *_COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Wait for the layer that it is making, and end it."""
        self._waiting.clear()
        self._thread.join()
        self._process.__exit__(None, None, None)

    def _talk(self) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - both are pipes
        while (job := _take(self._waiting)) is not None:
            self._outcomes.put((job, _ask(job, self._cache, stdin, stdout)))


def _ask(job: Job, cache: LayerCache, stdin: IO[bytes], stdout: IO[bytes]) -> CachedLayer | BaseException:
    try:
        pickle.dump((job, cache.directory), stdin)
        stdin.flush()
        answer: CachedLayer | BaseException = pickle.load(stdout)  # noqa: S301 - from a process of ours
    except (OSError, EOFError, pickle.UnpicklingError):
        return InfrastructureError(
            "a process that assembled layers was killed, perhaps for want of memory",
            where=f"layer {job.name}",
            fix="Run the command again; layers that were done are kept.",
        )
    return answer
