"""Assembling layers in several processes: each job is a plain value, each result is in the cache when it's done."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.lock import Encoding
from repro.oci.encodings import LayerBlob, write_layer
from repro.oci.entry import Entry
from repro.oci.tree import complete
from repro.plan import Item
from repro_oci.cache import CachedLayer, LayerCache, Listed
from repro_oci.items import item_entries

_SMALL = 16 << 20
"""Bytes of input below which starting processes costs more than it gains."""


@dataclass(frozen=True, slots=True)
class Job:
    """One layer to be made.

    Attributes:
        name: The layer's name in the plan.
        key: Its key in the cache.
        encoding: How it is compressed.
        items: What it holds: no `Deb`, no `Compile`.
        files: Local files of the items' contents, already checked.
        minor: `3.11`, of the image's Python.
        weight: Bytes of input, for the order of work and for progress.
    """

    name: str
    key: str
    encoding: Encoding
    items: tuple[Item, ...]
    files: Mapping[Digest, Path]
    minor: str
    weight: int


def assemble(job: Job, cache: LayerCache) -> CachedLayer:
    """Make one layer and keep it. Raises IntegrityError for inputs that can't be trusted, else as `LayerCache.add`."""
    entries = [entry for item in job.items for entry in item_entries(item, job.files, job.minor)]
    return keep(job.key, entries, job.encoding, cache)


def keep(key: str, entries: Sequence[Entry], encoding: Encoding, cache: LayerCache) -> CachedLayer:
    """Write a layer of these entries to the cache. Raises as `assemble` does."""
    whole = complete(entries)

    def blob(write: Callable[[bytes], object]) -> LayerBlob:
        return write_layer(whole, encoding, write)

    return cache.add(key, [_listed(entry) for entry in whole], blob)


def run_jobs(
    jobs: Sequence[Job], cache: LayerCache, workers: int, done: Callable[[Job], None]
) -> Iterator[tuple[Job, CachedLayer]]:
    """Make layers, the largest first, in up to `workers` processes; gives them as they are done.

    Ctrl-C ends it: layers that are being made are finished by their processes and wait in the cache.
    """
    ordered = sorted(jobs, key=lambda job: (-job.weight, job.name))
    if workers < 2 or len(jobs) < 2 or sum(job.weight for job in jobs) < _SMALL:  # noqa: PLR2004 - one is not several
        for job in ordered:
            made = assemble(job, cache)
            done(job)
            yield job, made
        return
    yield from _in_processes(ordered, cache, min(workers, len(jobs)), done)


def default_workers() -> int:
    """As many as there are CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(
    jobs: Sequence[Job], cache: LayerCache, workers: int, done: Callable[[Job], None]
) -> Iterator[tuple[Job, CachedLayer]]:
    with _pool(workers) as pool:
        running = {pool.submit(_work, job, cache.directory): job for job in jobs}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    made = _result(future, job)
                    done(job)
                    yield job, made
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _result(future: "Future[CachedLayer]", job: Job) -> CachedLayer:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise InfrastructureError(
            "a process that assembled layers was killed, perhaps for want of memory",
            where=f"layer {job.name}",
            fix="Run the command again; layers that were done are kept.",
        ) from error


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that start fresh: a fork would copy this process's threads' locks in whatever state they are."""
    method = "spawn" if sys.platform == "win32" else "forkserver"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["repro_oci.jobs"])
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts) as pool:
        yield pool


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the first one decides. When that is killed, its workers end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _work(job: Job, directory: Path) -> CachedLayer:
    return assemble(job, LayerCache(directory))


def _listed(entry: Entry) -> Listed:
    return Listed(entry.path, entry.kind, _content(entry), entry.origin)


def _content(entry: Entry) -> str:
    if entry.kind in ("symlink", "hardlink"):
        return entry.target
    known = entry.body.sha256 if entry.body else None
    return known.hex if known else ""
