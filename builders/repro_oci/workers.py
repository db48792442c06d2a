"""Several processes that assemble layers, this one included. Jobs and results go through pipes."""

import contextlib
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Self

from repro.errors import InfrastructureError
from repro_oci.cache import CachedLayer, LayerCache
from repro_oci.jobs import Job, assemble

_COMMAND = ("-P", "-m", "repro_oci.worker")
"""What a helper runs; the working directory is the user's, so nothing may be imported from it."""

_Outcome = tuple[Job, CachedLayer | BaseException]


class Crew:
    """This process and helpers, which start with the block and end with it, or when this process does.

    Args:
        helpers: How many more processes there are; none is allowed.
    """

    def __init__(self, helpers: int) -> None:
        self._count = helpers
        self._helpers: list[_Helper] = []
        self._waiting: deque[Job] = deque()
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._helpers.append(_Helper(self._waiting, self._outcomes))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
        for helper in self._helpers:
            helper.end()

    def run(self, jobs: Sequence[Job], cache: LayerCache) -> Iterator[tuple[Job, CachedLayer]]:
        """Make layers, those that take longest first; gives each as it is done.

        When the block is interrupted or a layer fails, no other is begun; those that helpers are making are finished
        and wait in the cache.

        Raises as `repro_oci.jobs.assemble` does, and InfrastructureError when a helper was killed.
        """
        self._waiting.extend(sorted(jobs, key=lambda job: (-job.effort, job.name)))
        for helper in self._helpers:
            helper.begin(cache)
        for _ in jobs:
            yield self._next(cache)

    def _next(self, cache: LayerCache) -> tuple[Job, CachedLayer]:
        """A result of a helper where there is one, else one of this process's own."""
        if self._outcomes.empty() and (job := _take(self._waiting)) is not None:
            return job, assemble(job, cache)
        job, outcome = self._outcomes.get()
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

    def __init__(self, waiting: "deque[Job]", outcomes: "queue.SimpleQueue[_Outcome]") -> None:
        self._waiting = waiting
        self._outcomes = outcomes
        self._process = subprocess.Popen(
            [sys.executable, *_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C is for the first process alone
        )
        self._thread: threading.Thread | None = None

    def begin(self, cache: LayerCache) -> None:
        """Take jobs until there are none."""
        self._thread = threading.Thread(target=self._talk, args=(cache,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for the layer that it is making, and end it."""
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):  # Ctrl-C may have come just before it started
                self._thread.join()
        self._process.__exit__(None, None, None)

    def _talk(self, cache: LayerCache) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - both are pipes
        while (job := _take(self._waiting)) is not None:
            self._outcomes.put((job, _ask(job, cache, stdin, stdout)))


def _ask(job: Job, cache: LayerCache, stdin: IO[bytes], stdout: IO[bytes]) -> CachedLayer | BaseException:
    try:
        pickle.dump((job, cache.directory), stdin)
        stdin.flush()
        answer: CachedLayer | BaseException = pickle.load(stdout)  # noqa: S301 - from a process of ours
    except (OSError, ValueError, EOFError, pickle.UnpicklingError):  # ValueError: the pipe was closed by `end`
        return InfrastructureError(
            "a process that assembled layers was killed, perhaps for want of memory",
            where=f"layer {job.name}",
            fix="Run the command again; layers that were done are kept.",
        )
    return answer
