"""Where the files of a capture come from, and runs that failed because a file was never fetched."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from repro.capture.project import Project, previous_lock
from repro.errors import EvaluationError
from repro.http import Session
from repro.lock import LockedFile, parse_lock
from repro.runner.execute import TRACE
from repro.runner.trace import read_trace
from repro.sources import Located, find_sources, refuse_pointers


def locate_files(project: Project, files: Sequence[LockedFile], sessions: Callable[[], Session]) -> Located:
    """Give files their sources. Raises as `find_sources`."""

    @functools.cache
    def previous() -> tuple[LockedFile, ...]:
        data = previous_lock(project)
        return () if data is None else parse_lock(data, where=str(project.output)).files

    return find_sources(project.root, files, declared=project.config.sources, sessions=sessions, previous=previous)


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
