"""Locks on open files (flock(2)), which end with the process that holds them, however that ends."""

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":

    def lock(handle: int, *, exclusive: bool = True, wait: bool = True) -> bool:  # noqa: ARG001 - as below
        """Nothing: what has to do there is that open files can't be removed."""
        return True

else:
    import fcntl

    def lock(handle: int, *, exclusive: bool = True, wait: bool = True) -> bool:
        """Lock an open file until its last handle is closed; without `wait`, say whether that was possible at once.

        Raises OSError where the file system has no locks.
        """
        how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(handle, how | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file still has this name: it may have been removed, and made again, before it was locked."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
