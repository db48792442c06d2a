"""bwrap as a process of ours: started, held back until its limits are set, followed, and ended with all it began."""

import array
import contextlib
import fcntl
import json
import os
import resource
import select
import selectors
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from repro.engines.bubblewrap.command import HOSTNAME, HOSTS, Handles
from repro.engines.bubblewrap.watch import MemoryWatch
from repro.engines.failures import to_the_end
from repro.errors import InfrastructureError

_START_SECONDS = 60.0
_KILL_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_BLOCK = 1 << 16
_MOST_FILES = 1 << 20
_FAILED = "bubblewrap could not start the sandbox"

Emit = Callable[[int, bytes], None]
"""Takes output: 1 or 2, and bytes; none at its end."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sandbox ended.

    Attributes:
        exit_code: Of the command, 128 + n for a signal; None when bwrap didn't come to tell.
        timed_out: It was killed because its time was over.
        exceeded: It was killed because its memory was.
    """

    exit_code: int | None
    timed_out: bool
    exceeded: bool


@dataclass(slots=True)
class Process:
    """A running bwrap.

    Attributes:
        popen: It.
        init: The sandbox's first process, as seen from here; with it, all others end.
    """

    popen: subprocess.Popen[bytes]
    init: int
    _handle: int
    _status: int
    _block: int
    _told: bytearray = field(default_factory=bytearray)

    def limit(self, processes: int | None) -> None:
        """Set limits on resources (setrlimit(2)); `processes` where no control group keeps that one.

        The kernel counts processes in each user namespace apart since Linux 5.14, and not at all for root.
        """
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
        resource.prlimit(self.init, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(self.init, resource.RLIMIT_NOFILE, (files, files))
        if processes is not None:
            _, most = resource.getrlimit(resource.RLIMIT_NPROC)
            count = processes if most == resource.RLIM_INFINITY else min(most, processes)
            resource.prlimit(self.init, resource.RLIMIT_NPROC, (count, count))

    def go(self) -> None:
        """Let the command start."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._block, b"x")

    def kill(self) -> None:
        """Kill everything in the sandbox."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def follow(self, timeout: float | None, watch: MemoryWatch | None, emit: Emit) -> Ending:
        """Pass output on until everything has ended; kill it when its time or its memory is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        timed_out = exceeded = False
        with self._selector() as selector:
            while selector.get_map():
                self._read(selector, _pause(deadline, watch), emit)
                if deadline is not None and time.monotonic() >= deadline:
                    if timed_out or exceeded:
                        raise InfrastructureError(f"the sandbox did not end within {_KILL_SECONDS:g} s of being killed")
                    timed_out = True
                elif watch is not None and self._begun() and watch.exceeded():
                    exceeded = True
                else:
                    continue
                self.kill()
                deadline, watch = time.monotonic() + _KILL_SECONDS, None
        self.popen.wait()
        return Ending(_exit_code(bytes(self._told)), timed_out, exceeded)

    def close(self) -> None:
        """End what still runs, wait until it is gone, give up the handles."""
        self.kill()
        self.popen.kill()
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()
        self.popen.wait()
        select.select([self._handle], [], [], _KILL_SECONDS)
        for handle in (self._handle, self._status, self._block):
            os.close(handle)

    def _begun(self) -> bool:
        """Whether the command may run: then the sandbox is made, and its processes no longer see this machine."""
        waiting = array.array("i", [0])
        fcntl.ioctl(self._block, termios.FIONREAD, waiting)
        return not waiting[0]

    @contextlib.contextmanager
    def _selector(self) -> Iterator[selectors.BaseSelector]:
        with selectors.DefaultSelector() as selector:
            for number, stream in enumerate((self.popen.stdout, self.popen.stderr), 1):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ, number)
            selector.register(self._status, selectors.EVENT_READ, 0)
            yield selector

    def _read(self, selector: selectors.BaseSelector, timeout: float | None, emit: Emit) -> None:
        for key, _ in selector.select(timeout):
            data = os.read(key.fd, _BLOCK)
            if not data:
                selector.unregister(key.fileobj)
            if key.data:
                emit(key.data, data)
            else:
                self._told += data


@contextlib.contextmanager
def started(
    program: str, build: Callable[[Handles], Sequence[str]], command: Sequence[str], filter_program: bytes | None
) -> Iterator[Process]:
    """A bwrap that has made its sandbox and waits for `go`; when the context ends, nothing of it is left.

    Args:
        program: Path of bwrap.
        build: Makes its arguments.
        command: What it runs.
        filter_program: See `repro.engines.bubblewrap.seccomp`.

    Raises:
        InfrastructureError: The sandbox can't be made.
    """
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        status, status_end = _pipe(ours, theirs)
        block_end, block = _pipe(theirs, ours)
        handles = Handles(
            status=status_end,
            block=block_end,
            seccomp=None if filter_program is None else _memory(theirs, filter_program),
            hosts=_memory(theirs, HOSTS),
            hostname=_memory(theirs, HOSTNAME.encode() + b"\n"),
        )
        words = _memory(theirs, b"".join(os.fsencode(word) + b"\0" for word in build(handles)))
        passed = [words, *(number for number in _numbers(handles) if number is not None)]
        popen = _popen(program, words, command, passed)
        try:
            theirs.close()
            process = _first_word(popen, status, block)
        except BaseException:
            popen.kill()
            popen.communicate()
            raise
        ours.pop_all()
        try:
            yield process
        finally:
            to_the_end(process.close)


def _numbers(handles: Handles) -> tuple[int | None, ...]:
    return handles.status, handles.block, handles.seccomp, handles.hosts, handles.hostname


def _popen(program: str, words: int, command: Sequence[str], passed: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start bwrap, in a session of its own: Ctrl-C of a terminal is for us alone.

    It dies with the thread that calls this (prctl(2), PR_SET_PDEATHSIG), however that ends.
    """
    try:
        return subprocess.Popen(
            [program, "--args", str(words), "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(f"{_FAILED}: {error}", where=program) from error


def _first_word(popen: subprocess.Popen[bytes], status: int, block: int) -> Process:
    """Wait for bwrap to say which process is the sandbox's first."""
    told = bytearray()
    deadline = time.monotonic() + _START_SECONDS
    while b"\n" not in told:
        ready, _, _ = select.select([status], [], [], max(deadline - time.monotonic(), 0))
        data = os.read(status, _BLOCK) if ready else b""
        if not data:
            popen.kill()
            raise failed(popen.communicate()[1].decode("utf-8", "replace"))
        told += data
    line, _, rest = bytes(told).partition(b"\n")
    init = int(json.loads(line)["child-pid"])
    try:
        handle = os.pidfd_open(init)
    except ProcessLookupError as error:
        popen.kill()
        raise failed(popen.communicate()[1].decode("utf-8", "replace")) from error
    return Process(popen, init, handle, status, block, bytearray(rest))


def failed(said: str) -> InfrastructureError:
    """The error for a bwrap that could not make its sandbox."""
    return InfrastructureError(_FAILED, details=said.strip(), fix="`repro doctor` tells whether bubblewrap works here.")


def _exit_code(told: bytes) -> int | None:
    for line in told.splitlines():
        with contextlib.suppress(ValueError):
            code = json.loads(line).get("exit-code")
            if code is not None:
                return int(code)
    return None


def _pause(deadline: float | None, watch: MemoryWatch | None) -> float | None:
    left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
    if watch is None:
        return left
    return _LOOK_SECONDS if left is None else min(left, _LOOK_SECONDS)


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


def _memory(stack: contextlib.ExitStack, data: bytes) -> int:
    """An anonymous file with this content, at its beginning."""
    handle = os.memfd_create("repro")
    stack.callback(os.close, handle)
    with os.fdopen(os.dup(handle), "wb") as stream:
        stream.write(data)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
