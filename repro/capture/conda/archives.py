"""What the archive of each conda package is and where it is to be had: published, in a cache of this machine, lost."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from repro.capture.conda.foreign import Settled
from repro.capture.conda.reach import Reach, Where
from repro.capture.conda.solve import Published
from repro.conda.caches import Stated, agrees, archive_at_hand, md5_of, stated_in_cache
from repro.conda.names import is_local
from repro.conda.records import Record
from repro.conda.repodata import Repodata
from repro.digest import Digest
from repro.errors import CaptureError, InfrastructureError
from repro.http import Session
from repro.progress import Progress
from repro.store import ObjectStore
from repro.words import count

_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that the lock may name.

    Attributes:
        sha256: Its digest. size: Its bytes. md5: In hex, None where nobody says.
        url: Where it is published, without credentials; None when only the project's object store has it.
    """

    sha256: Digest
    size: int
    md5: str | None
    url: str | None


@dataclass(frozen=True)
class ArchiveFinder:
    """Settles what the archives of packages are. Safe for several threads.

    Attributes:
        caches: Folders in which conda and its kin keep packages.
        store: The project's object store, which receives what nobody publishes.
        cache: Downloads, which receives what those folders have: builds find it there.
        sessions: Gives each thread a session that knows the channels' credentials.
        repodata: The channels' indexes.
        progress: Told of what is no longer published.
    """

    caches: tuple[Path, ...]
    store: ObjectStore
    cache: ObjectStore
    sessions: Callable[[], Session]
    repodata: Repodata
    progress: Progress
    _reach: Reach = field(init=False, repr=False)
    _telling: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reach", Reach(self.sessions))

    def all_of(self, records: Sequence[Record]) -> Mapping[str, Archive]:
        """What each installed package's archive is, by the package's name.

        Raises:
            CaptureError: Archives are nowhere to be had any more; each is named with where it was.
            InfrastructureError: Too little is recorded of one, and its channel can't be asked.
        """
        with ThreadPoolExecutor(_WORKERS, "conda") as pool:
            outcomes = list(pool.map(self._attempt, records))
        problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if problems:
            raise CaptureError(
                f"{count(len(problems), 'conda package')} can't be had again",
                problems=problems,
                fix="Do one of these for each, then capture again:\n"
                "  1. put its archive into a package cache:  a folder that CONDA_PKGS_DIRS names, or ~/.conda/pkgs\n"
                "  2. install what the channel has now:      conda update NAME, or conda install NAME=VERSION\n"
                "  3. where the channel is private:          see that its token or password is known "
                "(docs/how-to/conda.md)",
            )
        return {
            record.name: outcome
            for record, outcome in zip(records, outcomes, strict=True)
            if isinstance(outcome, Archive)
        }

    def settled(self, package: Published) -> Settled:
        """What the archive of a package is that another platform gets, and that isn't installed here.

        Raises:
            CaptureError: It is nowhere to be had.
            InfrastructureError: Its channel says too little of it, and can't be asked.
        """
        record = Record(
            file=Path(package.file),
            name=package.name,
            version=package.version,
            build=package.build,
            build_number=0,
            subdir=package.subdir,
            channel=package.channel.url,
            url=package.url,
            archive=package.file,
            md5=package.md5,
            sha256=package.sha256,
            size=package.size,
        )
        found = self._one(record)
        return Settled(found.sha256, found.size, found.url)

    def _attempt(self, record: Record) -> Archive | str:
        try:
            return self._one(record)
        except CaptureError as error:
            return f"{record.label}: {error.what}"

    def _one(self, record: Record) -> Archive:
        known = self._known(record)
        if known.sha256 is None or known.size is None:
            raise CaptureError(_nowhere(record))
        exact = replace(record, sha256=known.sha256, size=known.size)
        if is_local(record.url):
            self._keep(exact)
            return Archive(known.sha256, known.size, known.md5, None)
        there = self._reach.of(record.url)
        at_hand = self._at_hand(exact)
        if there is Where.GONE:
            self._keep(exact)
            self._tell(
                f"{record.label} is no longer in its channel, {record.public_channel}: {record.public_url}; the "
                "archive in this machine's cache is locked, and kept in .repro/objects"
            )
            return Archive(known.sha256, known.size, known.md5, None)
        if there is Where.REFUSED and not at_hand:
            raise CaptureError(_refused(record))
        return Archive(known.sha256, known.size, known.md5, record.public_url)

    def _known(self, record: Record) -> Stated:
        """Digest, size and MD5: as recorded, or what an archive, an index or a download on this machine tells."""
        recorded = Stated(record.sha256, record.size, record.md5)
        if record.sha256 is not None and record.size is not None:
            return recorded
        for look in (self._of_file, self._of_unpacked, self._of_index, self._of_download):
            found = look(record)
            if found is not None and found.sha256 is not None and found.size is not None and agrees(found, record):
                return replace(found, md5=record.md5 or found.md5)
        return recorded

    def _of_file(self, record: Record) -> Stated | None:
        path = self._own_file(record) or archive_at_hand(record, self.caches)
        return None if path is None else Stated(Digest.of_file(path), path.stat().st_size, md5_of(path))

    def _of_unpacked(self, record: Record) -> Stated | None:
        return stated_in_cache(record, self.caches)

    def _of_index(self, record: Record) -> Stated | None:
        try:
            return self.repodata.stated(record.url, record.subdir) if record.url else None
        except InfrastructureError:  # the archive itself may still be had
            return None

    def _of_download(self, record: Record) -> Stated | None:
        if not record.url or is_local(record.url):
            return None
        there = self._reach.of(record.url)
        if there is Where.REFUSED:
            raise CaptureError(_refused(record))
        return None if there is Where.GONE else self._reach.download(record.url, self.cache)

    def _own_file(self, record: Record) -> Path | None:
        """The archive in a local channel."""
        parts = urlsplit(record.url)
        path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(record.url)
        return path if record.url and is_local(record.url) and path.is_file() else None

    def _at_hand(self, record: Record) -> bool:
        """Whether builds on this machine find it; puts it into the cache where another tool has it."""
        digest = record.sha256
        if digest is None or self.store.has(digest) or self.cache.has(digest):
            return digest is not None
        path = archive_at_hand(record, self.caches)
        if path is not None:
            self.cache.add_file(path)
        return path is not None

    def _keep(self, record: Record) -> None:
        """Put an archive that nobody publishes into the project's store. Raises CaptureError when it is nowhere."""
        digest = record.sha256
        if digest is None or self.store.has(digest):
            return
        own = self._own_file(record)
        path = own if own is not None and Digest.of_file(own) == digest else archive_at_hand(record, self.caches)
        if path is None and self.cache.has(digest):
            path = self.cache.checked_path(digest)
        if path is None:
            raise CaptureError(_nowhere(record))
        self.store.add_file(path)

    def _tell(self, text: str) -> None:
        with self._telling:
            self.progress.warn(text)


def _refused(record: Record) -> str:
    return f"{record.public_channel} asks for a token or password: {record.public_url}"


def _nowhere(record: Record) -> str:
    if not record.url:
        return "its record doesn't say where it came from, and no package cache here has it"
    place = record.url if is_local(record.url) else record.public_url
    return f"it is no longer in its channel, {record.public_channel}: {place}, and no package cache here has it"
