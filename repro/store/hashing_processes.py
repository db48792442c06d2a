"""The processes that hash small files beside this one, as it sees them: started, asked, ended.

What they run is `repro.store.hashing_helper`; what they are given is `repro.store.hashing`'s to say.
"""

import contextlib
import marshal
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from repro.store import hashing_helper
from repro.store.hashing_helper import DIGEST_SIZE, HELLO, LENGTH_SIZE, Key

_OPTIONS = ("-I", "-S")
"""Nothing is imported from the working directory or from any package: a helper starts in a hundredth of a second."""
_WINDOWS_FLAGS = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
_PATIENCE = 0.5


class Helper:
    """One more process. Its requests and answers take turns; it ends when `end` says so, or when this process does."""

    def __init__(self) -> None:
        self._greeted = False
        self._process = subprocess.Popen(
            [sys.executable, *_OPTIONS, hashing_helper.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it fails at is done again here, where errors are told
            start_new_session=True,  # a terminal's Ctrl-C is for the first process alone
            creationflags=_WINDOWS_FLAGS,
        )

    def ask(self, request: bytes) -> None:
        """Send a request. Raises OSError where the helper is gone."""
        stream = _there(self._process.stdin)
        stream.write(request)
        stream.flush()

    def answer(self, count: int) -> list[bytes]:
        """The digests of `count` files, which were asked for last.

        Raises EOFError where the helper is gone, or is something else.
        """
        if not self._greeted and self._read(len(HELLO)) != HELLO:
            raise EOFError
        self._greeted = True
        data = self._read(count * DIGEST_SIZE)
        return [data[start : start + DIGEST_SIZE] for start in range(0, len(data), DIGEST_SIZE)]

    def kill(self) -> None:
        """End it, whatever it does. Whoever waits for its answer gets EOFError."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a dead disk
            self._process.wait(_PATIENCE)

    def close(self) -> None:
        """Let go of its pipes. Only for when nobody reads from it or writes to it any more."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent any more
                _there(stream).close()

    def _read(self, size: int) -> bytes:
        data = _there(self._process.stdout).read(size)
        if len(data) != size:
            raise EOFError
        return data


def start_helper() -> Helper | None:
    """One more process; None where there can't be any.

    A program that Python is built into, or that was packed with it, isn't an interpreter to run scripts by.
    """
    if not sys.executable or getattr(sys, "frozen", False) or not os.path.isfile(hashing_helper.__file__):  # noqa: PTH113 - it is a string
        return None
    try:
        return Helper()
    except OSError:  # too many processes, or none allowed
        return None


def request_for(paths: Sequence[str], keys: list[Key]) -> bytes:
    """What asks for the digests of files that are as their keys say."""
    content = marshal.dumps((os.fsencode("\0".join(paths)), keys))
    return len(content).to_bytes(LENGTH_SIZE, "little") + content


def _there(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - both are pipes
    return stream
