"""Bring locked files onto this machine: from the project's objects, the cache, or their URL, each checked."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, ReproError
from repro.http import Session, broke_off, network_errors
from repro.progress import Progress, Silent, Task
from repro.store.downloads import Downloads
from repro.store.objects import Incoming, ObjectStore
from repro.urls import redact
from repro.words import count

_BLOCK = 1 << 18
_ATTEMPTS = 3
_SOON = 1 << 30
"""Bytes that are hashed within about a second."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file that has to be here.

    Attributes:
        name: File name for people.
        sha256: Digest that it must have.
        size: Bytes that it must have.
        url: https, http or file URL, or None when it only exists in an object store.
    """

    name: str
    sha256: Digest
    size: int
    url: str | None


def fetch_all(
    wanted: Sequence[Wanted],
    *,
    stores: Sequence[ObjectStore],
    cache: ObjectStore,
    sessions: Callable[[], Session],
    progress: Progress,
    workers: int = 8,
) -> dict[Digest, Path]:
    """Find or download every file; all are tried before any problem is raised.

    Args:
        wanted: The files; those with the same digest are fetched once.
        stores: Looked in first, in order; never written to.
        cache: Looked in next, and where downloads are kept.
        sessions: Gives each thread its own session (`repro.http.per_thread`).
        progress: Told of bytes.
        workers: Downloads at the same time.

    Raises:
        IntegrityError: Bytes differ from what was wanted; `problems` names each file.
        InfrastructureError: Files can't be reached (and none differs), or the disk refuses.
    """
    distinct = {item.sha256: item for item in wanted}
    places = [*stores, cache]
    job = _Job(places, cache, sessions, _Meter(_task(distinct.values(), places, progress)))
    outcomes = _concurrently(job, list(distinct.values()), workers)
    found = {digest: outcome for digest, outcome in outcomes.items() if isinstance(outcome, Path)}
    job.meter.finish(count(len(found), "file"))
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, ReproError)]
    if errors:
        raise _together(errors)
    return found


def _task(items: Collection[Wanted], places: Sequence[ObjectStore], progress: Progress) -> Task:
    """Nothing is told of files that are here and soon hashed."""
    total = sum(item.size for item in items)
    if any(not any(store.has(item.sha256) for store in places) for item in items):
        return progress.start("fetching files", total, "bytes")
    return progress.start("checking files", total, "bytes") if total > _SOON else Silent().start("")


class _Meter:
    """Progress that several threads may advance."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._lock = threading.Lock()

    def advance(self, amount: float, detail: str = "") -> None:
        with self._lock:
            self._task.advance(amount, detail)

    def finish(self, summary: str) -> None:
        self._task.finish(summary)


class _Job(Downloads):
    """What all downloads of one `fetch_all` share."""

    def __init__(
        self, stores: Sequence[ObjectStore], cache: ObjectStore, sessions: Callable[[], Session], meter: _Meter
    ) -> None:
        super().__init__()
        self.stores = stores
        self.cache = cache
        self.sessions = sessions
        self.meter = meter


class _StoppedError(Exception):
    """Ends a download after Ctrl-C; never leaves this module."""


def _concurrently(job: _Job, items: Sequence[Wanted], workers: int) -> dict[Digest, Path | ReproError]:
    with ThreadPoolExecutor(workers, "fetch") as pool:
        futures = {item.sha256: pool.submit(_attempt, job, item) for item in items}
        job.wait_for(futures.values(), pool)
    return {digest: future.result() for digest, future in futures.items()}


def _attempt(job: _Job, item: Wanted) -> Path | ReproError:
    try:
        return _one(job, item)
    except ReproError as error:
        return error


def _one(job: _Job, item: Wanted) -> Path:
    damaged: IntegrityError | None = None
    for store in job.stores:
        if store.has(item.sha256):
            try:
                path = store.checked_path(item.sha256)
            except IntegrityError as error:
                damaged = error
                continue
            job.meter.advance(item.size, item.name)
            return path
    if item.url is None:
        raise damaged or InfrastructureError(
            f"{item.name} has no public source, and its bytes ({item.sha256}) are not here",
            where=item.name,
            fix="Copy .repro/objects from where the lock was captured, or capture again.",
        )
    return _download(job, item, item.url)


def _download(job: _Job, item: Wanted, url: str) -> Path:
    with job.cache.incoming() as incoming:
        if urlsplit(url).scheme == "file":
            _copy(job, item, url, incoming)
        else:
            _request(job, item, url, incoming)
        if (incoming.digest, incoming.size) != (item.sha256, item.size):
            raise _mismatch(item, url, incoming)
    return job.cache.path(item.sha256)


def _mismatch(item: Wanted, url: str, incoming: Incoming) -> IntegrityError:
    too_long = incoming.size > item.size  # then reading stopped there
    found = f"more than {item.size} bytes" if too_long else f"{incoming.digest} ({incoming.size} bytes)"
    return IntegrityError(
        f"{redact(url)} is not the file that was locked: expected {item.sha256} ({item.size} bytes), found {found}",
        where=item.name,
        fix="Find out why the file was replaced before trusting it; then capture again.",
    )


def _copy(job: _Job, item: Wanted, url: str, incoming: Incoming) -> None:
    path = Path(url2pathname(urlsplit(url).path))
    for block in _blocks(item, path):
        _take(job, item, block, incoming)


def _blocks(item: Wanted, path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
    except OSError as error:
        raise InfrastructureError(f"can't read {path}: {error.strerror}", where=item.name) from error


def _request(job: _Job, item: Wanted, url: str, incoming: Incoming) -> None:
    """Read the whole body into `incoming`, going on where it broke off as often as `_ATTEMPTS` allows."""
    session = job.sessions()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with network_errors(url, session.trust):
                _read(job, item, url, incoming)
        except InfrastructureError as error:
            if job.stopped.is_set():
                raise _StoppedError from error
            if attempt == _ATTEMPTS or not broke_off(error.__cause__):
                raise
        else:
            return


def _read(job: _Job, item: Wanted, url: str, incoming: Incoming) -> None:
    if incoming.size == item.size > 0:
        return
    headers = {"Accept-Encoding": "identity"}
    if incoming.size:
        headers["Range"] = f"bytes={incoming.size}-"
    response = job.sessions().get(url, headers=headers, stream=True)
    job.opened(response)
    try:
        _check_status(item, url, response, job.stores[0].path(item.sha256))
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {incoming.size}-")
        if incoming.size and not resumes:
            job.meter.advance(-incoming.size)
            incoming.restart()
        for block in response.iter_content(_BLOCK):
            _take(job, item, block, incoming)
            if incoming.size > item.size:
                return
    finally:
        job.closed(response)


def _take(job: _Job, item: Wanted, block: bytes, incoming: Incoming) -> None:
    if job.stopped.is_set():
        raise _StoppedError
    incoming.write(block)
    job.meter.advance(len(block), item.name)


def _check_status(item: Wanted, url: str, response: requests.Response, place: Path) -> None:
    if response.ok:
        return
    asks = response.status_code in {401, 403}
    raise InfrastructureError(
        f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip(),
        where=item.name,
        fix=_credentials(item)
        if asks
        else f"If the file is gone from there, copy it to {place} from a cache that still has it, or capture again.",
    )


def _credentials(item: Wanted) -> str:
    """Where to put them. Conda's tools keep those of channels in places of their own."""
    netrc = "Give credentials for this host in netrc (NETRC names another file)"
    if not item.name.endswith((".conda", ".tar.bz2")):
        return f"{netrc}."
    return f"{netrc}, or for the channel in .condarc or RATTLER_AUTH_FILE (docs/how-to/conda.md)."


def _together(errors: Sequence[ReproError]) -> ReproError:
    """One error for all; bytes that differ outrank files that can't be reached."""
    if len(errors) == 1:
        return errors[0]
    ordered = sorted(errors, key=str)
    worst = next((error for error in ordered if isinstance(error, IntegrityError)), ordered[0])
    kind = IntegrityError if isinstance(worst, IntegrityError) else InfrastructureError
    return kind(
        f"{len(errors)} files could not be fetched",
        fix=worst.fix,
        problems=_grouped(ordered),
        details=worst.details,
    )


def _grouped(errors: Sequence[ReproError]) -> list[str]:
    """Each cause once, with how many files it hit."""
    counts = Counter(str(error) for error in errors)
    return [f"{text} ({count} files)" if count > 1 else text for text, count in counts.items()]
