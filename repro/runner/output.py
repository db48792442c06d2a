"""Writing results so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def keep(path: Path, data: bytes, *, failed: bool) -> None:
    """Write what a run leaves; after a failure as well as it goes, so that a disk that the run filled hides nothing."""
    try:
        atomic_write(path, data)
    except OSError:
        if not failed:
            raise


def atomic_write(path: Path, data: bytes) -> None:
    """Replace `path` with `data`; on any error it stays as it was."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=str(path.parent))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        if temporary.exists():
            temporary.unlink()
        raise
