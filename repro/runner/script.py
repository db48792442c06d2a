"""Runs a script to its end, its output passed on line by line."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

from . import cgroup
from .documents import Failure
from .events import OUTPUT, Event
from .notebook import NotebookRun
from .processes import death, kill_first, kill_group
from .stops import ASKS_FOR_INPUT, Flood, explained
from .surroundings import Job

LOG_FILE = "output.log"
_TAIL = 40
_LONGEST_LINE = 1 << 16
_NO_INPUT = "EOFError: EOF when reading a line"
_READERS_PATIENCE = 5  # seconds for the last lines; a process that left the group may hold the pipe for ever


def run_script(job: Job) -> NotebookRun:
    """Run `python script args…` and leave what it printed in `output.log`; without a failure when it exited with 0.

    A script counts as one cell for the limits. Its process group does not outlive it.
    """
    printed = _Printed((job.out / LOG_FILE).open("wb"), job.tell)
    try:
        run = _run(job, printed)
    finally:
        printed.close()
    if printed.lost is not None and run.failure is None:
        raise printed.lost
    return run


def _run(job: Job, printed: _Printed) -> NotebookRun:
    python, place = job.evaluation.python, job.place
    oom = cgroup.oom_kills()
    run = NotebookRun()
    try:
        process = subprocess.Popen(
            [python, str(job.subject), *job.evaluation.args],
            cwd=str(place.directory),
            env={"PYTHONUNBUFFERED": "1", **place.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        return NotebookRun(failure=Failure("start", f"{python} can't be started: {error.strerror or error}"))
    try:
        kill_first(process.pid)
        printed.follow(process)
        code = process.wait(job.limits.for_cell())
    except subprocess.TimeoutExpired:
        run.failure = job.limits.exceeded("the script", traceback=printed.error_tail())
        return run
    finally:
        kill_group(process.pid)
        process.kill()
        process.wait()
        printed.finish()
        run.found.warnings += printed.flood.warnings()
    run.failure = (
        printed.flood.failure("the script") if printed.flood.over else _failure(code, oom, printed.error_tail())
    )
    return run


def _failure(code: int, oom: int, tail: str) -> Failure | None:
    if code == 0:
        return None
    if code < 0 or cgroup.oom_kills() > oom:
        return death("the script", code, oom, traceback=tail)
    last = tail.strip().splitlines()[-1:] if "Traceback (most recent call last)" in tail else []
    if last == [_NO_INPUT]:
        last = [ASKS_FOR_INPUT]
    return Failure("cell", explained(last[0]) if last else f"the script exited with code {code}", traceback=tail)


class _Printed:
    """Follows both streams of a process in threads, so that neither fills up while the other is read.

    Attributes:
        lost: Why the log can't be kept, such as a disk that is full; it is read on all the same.
    """

    def __init__(self, log: BinaryIO, on_event: Callable[[Event], None]) -> None:
        self._log = log
        self._on_event = on_event
        self._lock = threading.Lock()
        self._closed = False
        self._errors: deque[str] = deque(maxlen=_TAIL)
        self._threads: list[threading.Thread] = []
        self.flood = Flood(lambda: None)
        self.lost: OSError | None = None

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        self.flood = Flood(lambda: kill_group(process.pid))
        for stream, errors in ((process.stdout, False), (process.stderr, True)):
            thread = threading.Thread(target=self._read, args=(stream, errors), daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> None:
        """Wait for what was printed last. Lines that come later go nowhere."""
        for thread in self._threads:
            thread.join(_READERS_PATIENCE)
        with self._lock:
            self._closed = True

    def close(self) -> None:
        """Close the log."""
        try:
            self._log.close()
        except OSError as error:
            self.lost = self.lost or error

    def error_tail(self) -> str:
        """The end of standard error."""
        with self._lock:
            return "\n".join(self._errors)

    def _read(self, stream: BinaryIO, errors: bool) -> None:  # noqa: FBT001 - a thread's argument
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                with self._lock:
                    if self._closed:
                        return
                    if not self.flood.take(len(line)):
                        continue
                    self._keep(line)
                    if errors:
                        self._errors.append(text)
                    self._on_event(Event(OUTPUT, title=text))

    def _keep(self, line: bytes) -> None:
        if self.lost is None:
            try:
                self._log.write(line)
            except OSError as error:
                self.lost = error
