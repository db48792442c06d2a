"""Where the files of a capture come from, and runs that failed because a file was never fetched."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from repro.capture.project import Project
from repro.errors import EvaluationError
from repro.http import Session
from repro.lock import LockedFile
from repro.runner.execute import TRACE
from repro.runner.trace import read_trace
from repro.sources import Located, find_sources, refuse_pointers


def locate_files(
    project: Project, files: Sequence[LockedFile], sessions: Callable[[], Session], previous: Sequence[LockedFile]
) -> Located:
    """Give files their sources; `previous` are those of the lock that is replaced. Raises as `find_sources`."""
    declared = project.config.sources
    return find_sources(project.root, files, declared=declared, sessions=sessions, previous=previous)


@contextlib.contextmanager
def naming_pointers(root: Path, out: Path) -> Iterator[None]:
    """Say why a run failed when it had read Git LFS pointers for data.

    Args:
        root: Project root.
        out: Where the run leaves its trace.

    Raises:
        CaptureError: Instead of the EvaluationError of such a run.
    """
    try:
        yield
    except EvaluationError:
        reads = (Path(path) for path in read_trace(out / TRACE).reads)
        inside = [path.relative_to(root).as_posix() for path in reads if path.is_relative_to(root)]
        refuse_pointers(root, sorted(inside))
        raise
