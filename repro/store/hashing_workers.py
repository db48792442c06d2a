"""What those who hash share, and what each of them does: with a file, with a batch of small ones, with a helper.

Who is started, and what is shown meanwhile, is `repro.store.hashing`'s to say.
"""

import hashlib
import os
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from repro.digest import Digest
from repro.store.hashing_helper import FLAGS, UNKNOWN, WINDOWS, key, read_whole
from repro.store.hashing_processes import Helper, request_for
from repro.store.stat_cache import StatCache

BLOCK = 1 << 20
_AHEAD = 2
"""Batches that a helper has: it isn't idle while this process, which is as busy, makes something of its answer."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's digest, and what the system said of the file before and after it was read.

    Both are one and the same object where nothing happened to the file meanwhile.
    """

    sha256: Digest
    before: os.stat_result
    after: os.stat_result


Outcome = Hashed | OSError
Item = tuple[int, os.stat_result]
"""A file by its place among the paths, as it was before."""


@dataclass(slots=True)
class Work:
    """What all share. Each writes only to the places of its own files; the queues hand every file to one of them.

    Attributes:
        paths: The files.
        cache: Told what was hashed.
        found: What came of each file; None as long as nothing has.
        large: Files to hash each for itself.
        small: Files to hash in batches; at its end None, which stays there.
        helped: Whether other processes take of the small ones.
        stopped: Whether all shall end.
        lane: Held by the one thread that hashes small files where it is `helped`.
    """

    paths: Sequence[str]
    cache: StatCache | None
    found: list[Outcome | None]
    large: deque[Item] = field(default_factory=deque)
    small: queue.SimpleQueue[list[Item] | None] = field(default_factory=queue.SimpleQueue)
    helped: bool = False
    stopped: bool = False
    lane: threading.Lock = field(default_factory=threading.Lock)

    def next_large(self) -> Item | None:
        """A large file; None where there are no more."""
        try:
            return None if self.stopped else self.large.popleft()
        except IndexError:
            return None

    def next_small(self) -> list[Item] | None:
        """Small files, as soon as there are some; None where there will be no more."""
        batch = self.small.get()
        if batch is None or self.stopped:
            self.small.put(None)
            return None
        return batch

    def stop(self) -> None:
        """Have all end at their next file or block."""
        self.stopped = True
        self.small.put(None)

    def outcomes(self) -> list[Outcome]:
        """What came of each file. Only for when all are done."""
        outcomes = [one for one in self.found if one is not None]
        assert len(outcomes) == len(self.paths)  # noqa: S101 - else digests would go to other files
        return outcomes


class Worker:
    """One thread's share of the work.

    Attributes:
        read: Bytes that it has read, or had read by a helper.
    """

    def __init__(self, work: Work) -> None:
        self.read = 0
        self._work = work
        self._block = memoryview(bytearray(BLOCK))

    def run(self) -> None:
        """Hash files until there are none left, or somebody says stop.

        Small ones keep the interpreter busy, which runs one thread at a time: where helpers are, one thread takes them.
        """
        work = self._work
        while (item := work.next_large()) is not None:
            self._hash(item)
        if not work.helped or work.lane.acquire(blocking=False):
            self._hash_batches()

    def talk(self, helper: Helper) -> None:
        """Have a helper hash small files until there are none left. What it leaves undone is done here."""
        given: deque[tuple[list[Item], int]] = deque()
        try:
            self._talk(helper, given)
        except (OSError, EOFError):  # it was killed, perhaps by us
            for batch, _ in given:
                self._hash_batch(batch)
            self._hash_batches()

    def _talk(self, helper: Helper, given: deque[tuple[list[Item], int]]) -> None:
        """Batches are in `given` from when they are taken until all of their files are done."""
        while not self._work.stopped:
            while len(given) < _AHEAD and (batch := self._work.next_small()) is not None:
                given.append((batch, self._now()))
                helper.ask(self._request(batch))
            if not given:
                return
            batch, began = given[0]
            self._keep_batch(batch, began, helper.answer(len(batch)))
            given.popleft()

    def _request(self, batch: list[Item]) -> bytes:
        paths = self._work.paths
        return request_for([paths[index] for index, _ in batch], [key(before) for _, before in batch])

    def _now(self) -> int:
        """When a file was not yet being read, for the cache."""
        return 0 if self._work.cache is None else self._work.cache.now()

    def _keep_batch(self, batch: list[Item], began: int, digests: list[bytes]) -> None:
        for item, digest in zip(batch, digests, strict=True):
            if digest == UNKNOWN:
                self._hash_small(item)
            else:
                index, before = item
                self.read += before.st_size
                self._keep(index, Hashed(Digest(digest.hex()), before, before), began)

    def _hash_batches(self) -> None:
        while (batch := self._work.next_small()) is not None:
            self._hash_batch(batch)

    def _hash_batch(self, batch: list[Item]) -> None:
        for item in batch:
            if self._work.stopped:
                return
            self._hash_small(item)

    def _hash_small(self, item: Item) -> None:
        index, before = item
        began = self._now()
        try:
            digest, after = read_whole(self._work.paths[index], before.st_size)
        except OSError as error:
            self._work.found[index] = error
            return
        if digest == UNKNOWN:
            self._hash(item)
            return
        self.read += before.st_size
        same = key(after) == key(before)
        self._keep(index, Hashed(Digest(digest.hex()), before, before if same else after), began)

    def _hash(self, item: Item) -> None:
        """Hash a file by blocks, however large it is by now."""
        index, before = item
        path, began = self._work.paths[index], self._now()
        try:
            handle = os.open(path, FLAGS)
            try:
                digest = self._content(handle)
                after = os.stat(path) if WINDOWS else os.fstat(handle)  # noqa: PTH116 - of very many files
            finally:
                os.close(handle)
        except OSError as error:
            self._work.found[index] = error
        else:
            self._keep(index, Hashed(Digest(digest), before, before if key(after) == key(before) else after), began)

    def _content(self, handle: int) -> str:
        hasher = hashlib.sha256()
        with open(handle, "rb", buffering=0, closefd=False) as stream:
            while (count := stream.readinto(self._block)) and not self._work.stopped:
                hasher.update(self._block[:count])  # lets the other threads run
                self.read += count
        return hasher.hexdigest()

    def _keep(self, index: int, hashed: Hashed, began: int) -> None:
        work = self._work
        work.found[index] = hashed
        if work.cache is not None and not work.stopped:
            work.cache.put(work.paths[index], hashed.before, hashed.after, hashed.sha256, began)
