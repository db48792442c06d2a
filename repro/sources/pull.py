"""Fetching locked files from their sources: each is compared with the lock before it gets its name."""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from repro.errors import ExitCode, InfrastructureError, IntegrityError, ReproError
from repro.http import broke_off
from repro.lock import LockedFile
from repro.progress import Progress, Task
from repro.sources.bodies import Network
from repro.sources.look import Seen, look
from repro.sources.open import open_source
from repro.sources.place import place
from repro.sources.uri import problem_of
from repro.store.objects import ObjectStore, keep_out_of_git
from repro.store.partial import Partial, alone, partial

Status = Literal["present", "fetched", "would-fetch", "changed", "failed"]
_WORKERS = 8
_ATTEMPTS = 4  # without a single new byte between them
_PAUSE = 0.5  # seconds before the second attempt, and more before later ones
_POLL = 0.5  # seconds between looks at Ctrl-C, and at another process' download


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one file.

    Attributes:
        path: As in the lock.
        status: "present" if it was as locked, "changed" if something else is there and stays.
        size: Bytes.
        source: Where it comes from, or None.
        problem: Why it is not there as locked, or None.
        fix: What to do about that, or None.
        exit_code: Of that problem.
        like: Path of the file with the same content that it was copied from, its own source unasked; None otherwise.
    """

    path: str
    status: Status
    size: int
    source: str | None
    problem: str | None = None
    fix: str | None = None
    exit_code: ExitCode = ExitCode.OK
    like: str | None = None


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a pull did: the files that were looked at, in the lock's order."""

    files: tuple[Pulled, ...]

    @property
    def fetched(self) -> int:
        """Bytes of all files that were fetched, or would be."""
        return sum(file.size for file in self.files if file.status in {"fetched", "would-fetch"})

    @property
    def exit_code(self) -> ExitCode:
        """The gravest: bytes that differ outrank what can't be reached, and that outranks what was left alone."""
        found = {file.exit_code for file in self.files}
        order = (ExitCode.TAMPERED, ExitCode.INFRASTRUCTURE, ExitCode.USAGE)
        return next((code for code in order if code in found), ExitCode.OK)


def pull(
    root: Path,
    files: Sequence[LockedFile],
    *,
    network: Network,
    progress: Progress,
    force: bool = False,
    dry_run: bool = False,
) -> PullReport:
    """Bring files of a project to what the lock says, as far as their sources allow.

    Every file is tried; problems are told in the report. What is cut off is gone on with by the next pull.

    Args:
        root: The project.
        files: Those to bring.
        network: How to reach their sources.
        progress: Told of bytes.
        force: Replace files that hold something else.
        dry_run: Only look.
    """
    seen = look(root, files, progress)
    wanted = [one for one in seen if _is_wanted(one, force=force)]
    results = {one.file.path: _refusal(one) for one in seen if one not in wanted}
    if dry_run:
        results.update({one.file.path: _said(one, "would-fetch") for one in wanted})
    elif wanted:
        results.update(_Job(root, network, progress, wanted).run(wanted))
    return PullReport(tuple(results[one.file.path] for one in seen))


def _is_wanted(one: Seen, *, force: bool) -> bool:
    asked = one.state == "absent" or (force and one.state == "changed")
    return asked and one.file.source is not None


def _refusal(one: Seen) -> Pulled:
    """What to say of a file that isn't fetched."""
    if one.state == "present":
        return _said(one, "present")
    if one.state == "impossible":
        return replace(_said(one, "failed"), problem=one.reason, fix="Make room for it.", exit_code=ExitCode.USAGE)
    if one.file.source is None:
        return replace(
            _said(one, "changed" if one.state == "changed" else "failed"),
            problem=one.reason or "it is missing, and the lock knows no source of it",
            fix="Restore it from version control or from who captured it, or capture again with [sources].",
            exit_code=ExitCode.INFRASTRUCTURE,
        )
    return replace(
        _said(one, "changed"),
        problem=f"something else is there: {one.reason}",
        fix="Move it away, or replace it with `repro pull --force`; capture again if the change is meant.",
        exit_code=ExitCode.USAGE,
    )


def _said(one: Seen, status: Status) -> Pulled:
    return Pulled(one.file.path, status, one.file.size, one.file.source)


class _StoppedError(Exception):
    """Ends a download after Ctrl-C; never leaves this module."""


class _Job:
    """All downloads of one pull."""

    def __init__(self, root: Path, network: Network, progress: Progress, wanted: Sequence[Seen]) -> None:
        self._root = root
        self._network = network
        self._store = ObjectStore(root / ".repro" / "pull")
        self._lock = threading.Lock()
        self._task: Task = progress.start("fetching files", sum(one.file.size for one in wanted), "bytes")

    def run(self, wanted: Sequence[Seen]) -> Mapping[str, Pulled]:
        """Fetch files, several at a time; those with the same content once."""
        keep_out_of_git(self._root / ".repro")
        groups: dict[str, list[Seen]] = {}
        for one in wanted:
            groups.setdefault(str(one.file.sha256), []).append(one)
        with ThreadPoolExecutor(_WORKERS, "pull") as pool:
            futures = [pool.submit(self._group, group) for group in groups.values()]
            self._network.downloads.wait_for(futures, pool)
        results = {result.path: result for future in futures for result in future.result()}
        done = sum(one.status == "fetched" for one in results.values())
        self._task.finish(f"{done} of {len(results)} files fetched")
        return results

    def _group(self, group: Sequence[Seen]) -> list[Pulled]:
        results: list[Pulled] = []
        first: Seen | None = None
        for one in group:
            try:
                self._one(one, first.target if first else None)
                results.append(replace(_said(one, "fetched"), like=first.file.path if first else None))
                first = first or one
            except _StoppedError:
                break
            except ReproError as error:
                problem = replace(_said(one, "failed"), problem=error.what, fix=error.fix, exit_code=error.exit_code)
                results.append(problem)
        return results

    def _one(self, one: Seen, like: Path | None) -> None:
        """Fetch one file, or copy one that is `like` it."""
        digest = one.file.sha256
        with alone(self._store, digest, self._pause):
            if like is not None:
                self._store.add_file(like)
            if not self._fetched(one):
                with partial(self._store, digest) as found:
                    self._advance(one, found.size)
                    self._fill(one, found)
        place(self._store.path(digest), one, self._root)

    def _fetched(self, one: Seen) -> bool:
        """Whether an earlier pull has fetched the content, and was ended before it could put it in its place."""
        if not self._store.has(one.file.sha256):
            return False
        try:
            self._store.checked_path(one.file.sha256)
        except IntegrityError:
            self._store.discard(one.file.sha256)
            return False
        self._advance(one, one.file.size)
        return True

    def _fill(self, one: Seen, found: Partial) -> None:
        """Read the whole content; what an earlier pull left, and turns out wrong, is read again."""
        problem = problem_of(one.file.source or "")
        if problem:
            raise InfrastructureError(f"its source can't be used: it {problem}", fix="Capture again with [sources].")
        self._rest(one, found)
        if found.inherited and found.digest != one.file.sha256:
            self._again(one, found)
            self._rest(one, found)
        if found.digest != one.file.sha256:
            error = _mismatch(one, found)
            self._again(one, found)
            raise error

    def _rest(self, one: Seen, found: Partial) -> None:
        """Read on until the size is reached, trying again as long as each try brings something."""
        failures = 0
        while found.size < one.file.size:
            before = found.size
            try:
                self._read(one, found)
            except ReproError as error:
                self._check()
                failures = failures + 1 if found.size <= before else 0
                if failures >= _ATTEMPTS or not broke_off(error.__cause__):
                    raise
                self._pause(_PAUSE * failures)
            else:
                return

    def _read(self, one: Seen, found: Partial) -> None:
        opened = open_source(self._network, one.file.source or "", self._root, one.file.size, found.size)
        with opened as body:
            if body.start != found.size:
                self._again(one, found)
            for block in body.blocks:
                self._check()
                found.write(block)
                self._advance(one, len(block))
                if found.size > one.file.size:
                    return

    def _again(self, one: Seen, found: Partial) -> None:
        self._advance(one, -found.size)
        found.restart()

    def _advance(self, one: Seen, amount: int) -> None:
        with self._lock:
            self._task.advance(amount, one.file.path)

    def _check(self) -> None:
        if self._network.downloads.stopped.is_set():
            raise _StoppedError

    def _pause(self, seconds: float = _POLL) -> None:
        self._network.downloads.stopped.wait(seconds)
        self._check()


def _mismatch(one: Seen, found: Partial) -> IntegrityError:
    size = one.file.size
    content = f"more than {size} bytes" if found.size > size else f"{found.digest} ({found.size} bytes)"
    return IntegrityError(
        f"its source has something else than was locked: {content} instead of {one.file.sha256} ({size} bytes)",
        where=os.fspath(one.target),
        fix="Find out why the file was replaced before trusting it; then capture again.",
    )
