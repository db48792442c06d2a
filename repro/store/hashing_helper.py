"""Reading small files whole to hash them: a script that does so for another process, and the part that both share.

Standard library only, and little of it: the script starts without any package, by `repro.store.hashing_processes`.
"""

import hashlib
import io
import marshal
import os
import sys
from _queue import SimpleQueue
from _thread import start_new_thread

HELLO = b"repro.hashing/1\n"
"""What a helper says first, so that nothing else is taken for one."""
LENGTH_SIZE = 8
DIGEST_SIZE = 32
UNKNOWN = bytes(DIGEST_SIZE)
"""Stands for a file that has changed or can't be read: whoever asked must see for themselves."""
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
WINDOWS = sys.platform == "win32"

Key = tuple[int, int, int, int, int, int]


def key(info: os.stat_result) -> Key:
    """What differs once a file has become another or has changed."""
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev, info.st_mode


def read_whole(path: str | bytes, size: int) -> tuple[bytes, os.stat_result]:
    """Hash a file of `size` bytes that is read by a single call.

    Returns:
        Its digest, UNKNOWN if it has another size, and what the system says of it after it was read.

    Raises:
        OSError: It can't be read.
    """
    handle = os.open(path, FLAGS)
    try:
        data = os.read(handle, size + 1)
        after = os.stat(path) if WINDOWS else os.fstat(handle)  # noqa: PTH116 - of very many files
    finally:
        os.close(handle)
    return hashlib.sha256(data).digest() if len(data) == size else UNKNOWN, after


def serve(requests: io.BufferedReader, answers: io.BufferedWriter) -> None:
    """Answer until there are no more requests, which is also so when whoever asks was killed.

    A request is its length, then paths joined by NUL and the key of each; an answer is the digests.
    """
    answers.write(HELLO)
    answers.flush()
    waiting: SimpleQueue[bytes] = SimpleQueue()
    start_new_thread(_receive, (requests, waiting))
    while request := waiting.get():
        names, keys = marshal.loads(request)  # noqa: S302 - from a process of ours
        answers.write(b"".join(map(_digest, names.split(b"\0"), keys)))
        answers.flush()


def _receive(requests: io.BufferedReader, waiting: "SimpleQueue[bytes]") -> None:
    """Take requests as they come, so that nobody ever waits to send one while answers wait to be taken."""
    try:
        while length := requests.read(LENGTH_SIZE):
            waiting.put(requests.read(int.from_bytes(length, "little")))
    finally:
        waiting.put(b"")


def _digest(path: bytes, expected: Key) -> bytes:
    try:
        digest, after = read_whole(path, expected[0])
    except OSError:
        return UNKNOWN
    return digest if key(after) == expected else UNKNOWN


if __name__ == "__main__":
    try:
        serve(open(0, "rb"), open(1, "wb"))  # noqa: SIM115 - they end with the process
    finally:
        os._exit(0)  # at once, even where the thread that receives waits for more
