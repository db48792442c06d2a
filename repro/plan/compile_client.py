"""Starts `compile_worker` under an interpreter and has it compile sources, several processes at a time.

Standard library only: the Docker builder uses it inside images too, on Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from repro.plan.compile_worker import NO_BYTECODE, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    Batch = list[tuple[str, bytes]]

OPTIONS = ("-s", "-S", "-B")
"""Nothing of the user's, no site-packages, no bytecode of its own. Variables count: they are all set here."""
VARIABLES = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
"""What the compiler puts into sets comes out in an order that depends on hashes (python/cpython#124442)."""

NOT_STARTED = 127
"""As shells say that they can't start a program."""

_BATCH = 1 << 17
"""Bytes of sources that go to a process at once: while it waits for the next, another thread may have its turn here."""
_MOST_SOURCES = 32
"""In a batch."""
_AHEAD = 2  # batches waiting for each process
_MOST_AHEAD = 32 << 20  # bytes of them
_TAIL = 4000  # bytes of stderr worth showing


class WorkerError(Exception):
    """A worker ended instead of answering.

    Attributes:
        code: Its exit code, negative for a signal.
        output: The end of what it wrote to stderr.
        path: What it was compiling, or "".
    """

    def __init__(self, code: int, output: str) -> None:
        super().__init__(f"ended with {code}: {output}")
        self.code = code
        self.output = output
        self.path = ""

    @property
    def how(self) -> str:
        """How it ended, for people."""
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class Worker:
    """One process that compiles."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], script: str) -> None:
        """Start `script` (compile_worker.py) under an interpreter. Raises OSError when that can't be started."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._process = subprocess.Popen(
                [*command, *OPTIONS, script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**variables, **VARIABLES},
                start_new_session=True,  # Ctrl-C is for us; workers end when their pipe does
            )
        except BaseException:
            self._errors.close()
            raise

    def greeting(self) -> tuple[str, str]:
        """What comes first: the interpreter's version, such as `3.11.7`, and its cache tag, such as `cpython-311`.

        Raises WorkerError when the interpreter isn't known, or doesn't run.
        """
        version, _, tag = (self._answer() or b"").decode().partition(" ")
        return version, tag

    def compile(self, batch: Batch) -> list[bytes | None]:
        """The .pyc of each source of a batch; None where it doesn't compile.

        A request is read as a whole before it is answered, so that neither side waits for the other to read.

        Raises WorkerError when the process ends instead; its `path` is the first without an answer.
        """
        made: list[bytes | None] = []
        try:
            self._ask(batch)
            while len(made) < len(batch):
                made.append(self._answer())
        except WorkerError as error:
            error.path = batch[len(made)][0]
            raise
        return made

    def kill(self) -> None:
        """End the process at once. Whoever waits for an answer gets a WorkerError."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of it; nobody may be waiting for an answer."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _ask(self, batch: Batch) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        blocks = (block for path, source in batch for block in (path.encode(), source))
        parts = (part for block in blocks for part in (NUMBER.pack(len(block)), block))
        try:
            self._process.stdin.write(b"".join((NUMBER.pack(len(batch)), *parts)))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _answer(self) -> bytes | None:
        (size,) = NUMBER.unpack(self._read(NUMBER.size))
        return None if size == NO_BYTECODE else self._read(size)

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise self._ended()
        return data

    def _ended(self) -> WorkerError:
        code = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _TAIL))
        return WorkerError(code, self._errors.read().decode("utf-8", "replace").strip())


class Workers:
    """Up to `count` workers, started when there is something for them to do; they end with the `with` block.

    Args:
        command: The interpreter.
        variables: Its environment, without ours.
        script: Path of compile_worker.py.
        count: Most processes at a time.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], script: str, count: int) -> None:
        self._how = (tuple(command), dict(variables), script)
        self._count = count
        self._threads = ThreadPoolExecutor(count, "compile")
        self._lock = threading.Lock()
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._stopped = False
        self._who: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._stopped = True
            for worker in self._all:
                worker.kill()
        self._threads.shutdown(wait=True)
        for worker in self._all:
            worker.close()

    def who(self) -> tuple[str, str]:
        """Version and cache tag of the interpreter. Raises WorkerError."""
        if self._who is None:
            self._give_back(self._worker())
        assert self._who is not None  # noqa: S101 - for the type checker
        return self._who

    def compile(self, sources: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes | None]]:
        """Each source's path with its .pyc, or None where it doesn't compile, in the order of the sources.

        Sources are taken only a few ahead. Raises WorkerError.
        """
        waiting: deque[tuple[Batch, Future[list[bytes | None]]]] = deque()
        for batch in _batches(sources):
            waiting.append((batch, self._threads.submit(self._one, batch)))
            if len(waiting) > _AHEAD * self._count or sum(_size(batch) for batch, _ in waiting) > _MOST_AHEAD:
                yield from _results(waiting)
        while waiting:
            yield from _results(waiting)

    def _one(self, batch: Batch) -> list[bytes | None]:
        worker = self._worker()
        made = worker.compile(batch)
        self._give_back(worker)
        return made

    def _worker(self) -> Worker:
        """An idle worker, or a new one: there are never more than there are threads."""
        with self._lock:
            if self._stopped:
                raise WorkerError(0, "stopped")
            if self._idle:
                return self._idle.pop()
            worker = self._start()
            self._all.append(worker)
        self._who = worker.greeting()
        return worker

    def _start(self) -> Worker:
        try:
            return Worker(*self._how)
        except OSError as error:
            raise WorkerError(NOT_STARTED, str(error)) from error

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)


def _batches(sources: Iterable[tuple[str, bytes]]) -> Iterator[Batch]:
    """Sources in as few batches as may be; none is waited for where there are enough."""
    batch: Batch = []
    for path, source in sources:
        batch.append((path, source))
        if len(batch) == _MOST_SOURCES or _size(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _size(batch: Batch) -> int:
    return sum(len(source) for _, source in batch)


def _results(waiting: deque[tuple[Batch, Future[list[bytes | None]]]]) -> Iterator[tuple[str, bytes | None]]:
    batch, future = waiting.popleft()
    made = future.result()
    yield from ((path, made[number]) for number, (path, _) in enumerate(batch))
