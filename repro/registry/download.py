"""Blobs from a registry into a store: several at a time, gone on with after breaks and kills, each checked."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from repro.digest import Digest
from repro.errors import IntegrityError, ReproError
from repro.http import broke_off
from repro.oci.image import Descriptor
from repro.progress import Progress, Task
from repro.registry.client import Registry
from repro.registry.failures import check_status
from repro.registry.names import ImageName
from repro.store import ObjectStore
from repro.store.downloads import Downloads
from repro.store.partial import Partial, alone, partial
from repro.words import count

_WORKERS = 4
_BLOCK = 1 << 18
_ATTEMPTS = 4  # without a single new byte between them
_PAUSE = 0.5  # seconds before the second attempt, and more before later ones
_POLL = 0.5  # seconds between looks at Ctrl-C, and at another process' download


def download(
    registry: Registry, name: ImageName, blobs: Sequence[Descriptor], *, store: ObjectStore, progress: Progress
) -> None:
    """Have these blobs in the store; those that are there already aren't looked at.

    A download that breaks off is gone on with at once, one that was killed or interrupted when it is next asked for;
    of several processes that want the same blob, one downloads it. Progress is told in bytes.

    Raises:
        IntegrityError: What came isn't what the digest says; it isn't kept.
        InfrastructureError: It can't be had from any mirror nor from the registry, or the disk refuses.
    """
    missing = {blob.digest: blob for blob in blobs if not store.has(blob.digest)}
    if not missing:
        return
    total = sum(blob.size for blob in missing.values())
    job = _Job(registry, name, store, progress.start(f"downloading from {name.registry}", total, "bytes"))
    summary = ""
    try:
        _all(job, list(missing.values()))
        summary = f"{count(len(missing), 'layer')} of {name}"
    finally:
        job.task.finish(summary)


class _StoppedError(Exception):
    """Ends a download after Ctrl-C or another's failure; never leaves this module."""


class _Job(Downloads):
    """What all downloads at the same time share."""

    def __init__(self, registry: Registry, name: ImageName, store: ObjectStore, task: Task) -> None:
        super().__init__()
        self.registry = registry
        self.name = name
        self.store = store
        self.task = task
        self._counting = threading.Lock()

    def advance(self, blob: Descriptor, amount: int) -> None:
        """Count bytes; after Ctrl-C this is where a download ends."""
        self.check()
        with self._counting:
            self.task.advance(amount, blob.digest.short)

    def check(self) -> None:
        if self.stopped.is_set():
            raise _StoppedError

    def pause(self, seconds: float) -> None:
        self.stopped.wait(seconds)
        self.check()


def _all(job: _Job, blobs: Sequence[Descriptor]) -> None:
    """Download all; the first failure ends the others, whose partial files stay."""
    with ThreadPoolExecutor(_WORKERS, "download") as pool:
        futures = [pool.submit(_attempt, job, blob) for blob in blobs]
        job.wait_for(futures, pool)


def _attempt(job: _Job, blob: Descriptor) -> None:
    try:
        _one(job, blob)
    except _StoppedError:
        return


def _one(job: _Job, blob: Descriptor) -> None:
    with alone(job.store, blob.digest, lambda: job.pause(_POLL)):
        if job.store.has(blob.digest):  # another process was faster
            job.advance(blob, blob.size)
            return
        with partial(job.store, blob.digest) as found:
            job.advance(blob, found.size)
            job.registry.anywhere(job.name, lambda place: _from(job, place, blob, found))


def _from(job: _Job, place: ImageName, blob: Descriptor, found: Partial) -> None:
    """Read the rest of a blob from one place; what an earlier run left, and turns out wrong, is read again."""
    _rest(job, place, blob, found)
    if found.inherited and not _is_right(found, blob):
        _again(job, blob, found)
        _rest(job, place, blob, found)
    if not _is_right(found, blob):
        error = _mismatch(place, blob, found)
        _again(job, blob, found)
        raise error


def _is_right(found: Partial, blob: Descriptor) -> bool:
    return (found.digest, found.size) == (blob.digest, blob.size)


def _again(job: _Job, blob: Descriptor, found: Partial) -> None:
    job.advance(blob, -found.size)
    found.restart()


def _mismatch(place: ImageName, blob: Descriptor, found: Partial) -> IntegrityError:
    content: Digest | str = f"more than {blob.size} bytes" if found.size > blob.size else found.digest
    return IntegrityError(
        f"the registry sent something else than it names: {content} instead of {blob.digest} ({blob.size} bytes)",
        where=f"{place.registry}/{place.repository}",
        fix="The registry, or a proxy before it, is damaged or not honest; use another one.",
    )


def _rest(job: _Job, place: ImageName, blob: Descriptor, found: Partial) -> None:
    """Read on until the size is reached, trying again as long as each try brings something."""
    failures = 0
    while found.size < blob.size:
        before = found.size
        try:
            _read(job, place, blob, found)
        except ReproError as error:
            job.check()
            failures = failures + 1 if found.size <= before else 0
            if failures >= _ATTEMPTS or not broke_off(error.__cause__):
                raise
            job.pause(_PAUSE * failures)
        else:
            return


def _read(job: _Job, place: ImageName, blob: Descriptor, found: Partial) -> None:
    headers = {"Range": f"bytes={found.size}-"} if found.size else {}
    response = job.registry.send("GET", place, f"blobs/{blob.digest}", headers=headers, pause=job.pause)
    job.opened(response)
    try:
        check_status(response, place, blob.digest)
        if not _goes_on(response, found):
            _again(job, blob, found)
        with job.registry.errors(response.url):
            for block in response.iter_content(_BLOCK):
                found.write(block)
                job.advance(blob, len(block))
                if found.size > blob.size:
                    return
    finally:
        job.closed(response)


def _goes_on(response: requests.Response, found: Partial) -> bool:
    """Whether the answer begins where we stopped (RFC 9110, 14.4), and not at the start."""
    return not found.size or response.headers.get("Content-Range", "").startswith(f"bytes {found.size}-")
