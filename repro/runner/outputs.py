"""Keeps the outputs that the lock holds a rerun to: copies of what the run wrote, and what each of them is."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "outputs"
MOST_BYTES = 64 << 20
"""Of a file that is copied; a larger one is told by its digest alone."""
MOST_IN_ALL = 1 << 30


@dataclass(frozen=True)
class WrittenOutput:
    """A file that the run should write, as it left it.

    Attributes:
        path: Relative to the project root.
        size: Bytes.
        sha256: 64 hex digits, "" where there is no such file.
        problem: Why it wasn't kept, "" where it was.
    """

    path: str
    size: int = 0
    sha256: str = ""
    problem: str = ""


def keep_outputs(root: Path, out: Path, paths: Iterable[str]) -> tuple[WrittenOutput, ...]:
    """Copy each output below `root` to `out/outputs`, under its path; an earlier run's are removed.

    What is too large is hashed and not copied; what isn't there, or is no file, is told in `problem`.
    OSError means that `out` can't be written.
    """
    folder = out / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    return tuple(_kept(root, folder, paths))


def _kept(root: Path, folder: Path, paths: Iterable[str]) -> Iterator[WrittenOutput]:
    left = MOST_IN_ALL
    for path in paths:
        try:
            size, digest = _hashed(root / path)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            problem = "the run did not write it" if missing else f"it can't be read: {error.strerror or error}"
            yield WrittenOutput(path, problem=problem)
            continue
        if size > min(MOST_BYTES, left):
            yield WrittenOutput(path, size, digest, f"{size} bytes are more than is copied out of an image")
            continue
        left -= size
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(root / path), str(folder / path))
        yield WrittenOutput(path, size, digest)


def _hashed(path: Path) -> tuple[int, str]:
    """Bytes and digest of a regular file; OSError for anything else: a pipe would have us wait forever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no file")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
        return os.fstat(stream.fileno()).st_size, digest.hexdigest()
