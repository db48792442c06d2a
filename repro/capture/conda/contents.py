"""What is left of each conda package in the environment: files that are gone, another package's, or edited by hand.

Told by size and times first, as for wheels (`repro.capture.edits`), so that 100,000 files cost a second.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.records import listed
from repro.conda.environment import CondaPrefix
from repro.conda.records import InstalledPath, Record
from repro.digest import Digest
from repro.realpaths import RealPaths

_THREADS = 4
_REWRITTEN = ("share/jupyter/", "etc/jupyter/")
"""Jupyter and its extensions write there as they are installed and used."""
_MADE = {
    *("mime.cache", "icon-theme.cache", "gschemas.compiled", "loaders.cache", "immodules.cache", "fonts.dir"),
    *("fonts.scale", "easy-install.pth", "catalog", "giomodule.cache", "mimeinfo.cache"),
}
"""Files that packages' scripts make again whenever another package comes."""
_LINK = "softlink"
_FOLDER = "directory"


@dataclass(frozen=True, slots=True)
class Contents:
    """One package as it lies in the environment.

    Attributes:
        record: The package.
        gone: Paths that it brought and that aren't there any more, sorted.
        taken: Those that have the content of another now, with its name and version.
        changed: Those that nobody else brought and that aren't as they were, sorted.
        whole: How many files it brought, bytecode not counted.
    """

    record: Record
    gone: tuple[str, ...] = ()
    taken: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    whole: int = 0

    @property
    def left(self) -> bool:
        """Whether anything of it is still there; packages without files always are."""
        return not self.whole or len(self.gone) + len(self.taken) < self.whole

    def without(self) -> tuple[str, ...]:
        """The paths that an image must not get from it; `folder/` stands for all that it has below."""
        lost = {*self.gone, *self.taken}
        return collapsed(lost, (one.path for one in self.record.paths if one.path not in lost and _counts(one)))


def inspect(interpreter: Interpreter, thorough: Collection[str] = ()) -> tuple[Contents, ...]:
    """Every conda package as it lies in the environment, by name; nothing where the environment isn't conda's.

    Args:
        interpreter: The captured environment.
        thorough: Names of packages of which every file is hashed.
    """
    conda = interpreter.conda
    if conda is None:
        return ()
    taken = others_files(interpreter)
    winners = _winners(conda, taken)
    looks = [_Look(conda, record, taken, winners, record.name in thorough) for record in conda.records]
    with ThreadPoolExecutor(_THREADS) as pool:  # stat and hashlib let other threads run
        return tuple(pool.map(_Look.contents, looks))


def collapsed(lost: Collection[str], kept: Iterable[str]) -> tuple[str, ...]:
    """Paths, with `folder/` for each folder that has several of them and nothing that is kept, the uppermost only."""
    needed = {folder for path in kept for folder in _above(path)}
    members: defaultdict[str, int] = defaultdict(int)
    for path in lost:
        for folder in _above(path):
            members[folder] += 1
    found = set()
    for path in lost:
        folders = (folder for folder in _above(path) if folder not in needed and members[folder] > 1)
        found.add(next((f"{folder}/" for folder in folders), path))
    return tuple(sorted(found))


def _above(path: str) -> Iterator[str]:
    """The folders that a path is in, the uppermost first."""
    parts = path.split("/")[:-1]
    return ("/".join(parts[: number + 1]) for number in range(len(parts)))


def _counts(one: InstalledPath) -> bool:
    return not one.compiled and one.kind != _FOLDER


def others_files(interpreter: Interpreter) -> dict[str, str]:
    """What other installers' packages list inside of conda's environment, and which they are."""
    if interpreter.conda is None:
        return {}
    return _taken(interpreter.conda, (one for one in interpreter.distributions if one.conda is None))


def rewritten(path: str) -> bool:
    """Whether a path, relative to the prefix, is that of a file that tools and packages' scripts write as they like."""
    return path.startswith(_REWRITTEN) or path.rpartition("/")[2] in _MADE


def _taken(conda: CondaPrefix, others: Iterable[Distribution]) -> dict[str, str]:
    real, found = RealPaths(), {}
    for one in others:
        base = one.location if one.record else one.metadata
        for path, _, _ in listed(one):
            file = real.of(os.path.normpath(os.path.join(base, path)))  # noqa: PTH118 - tens of thousands
            inside = conda.relative(file)
            if inside is not None and os.path.lexists(file):
                found[inside] = f"{one.name} {one.version}"
    return found


def _winners(conda: CondaPrefix, taken: Collection[str]) -> dict[str, Record]:
    """Of paths that several conda packages brought: whose content is there, by their hashes; else the first by name."""
    shared = {
        path: found
        for path, found in conda.owners.items()
        if len(found) > 1 and path not in taken and _counts(found[0][1])
    }
    return {path: _winner(conda.path / path, found) for path, found in shared.items()}


def _winner(file: Path, owners: Iterable[tuple[Record, InstalledPath]]) -> Record:
    known = list(owners)
    fitting = [record for record, one in known if one.kind != _FOLDER and not _differs(file, one)]
    return fitting[0] if fitting else known[0][0]


@dataclass(frozen=True, slots=True)
class _Look:
    """One package that is looked at."""

    conda: CondaPrefix
    record: Record
    taken: Mapping[str, str]
    winners: Mapping[str, Record]
    thorough: bool

    def contents(self) -> Contents:
        root = f"{self.conda.path}{os.sep}"
        written = self.record.file.stat()
        gone, taken, changed, whole = [], {}, [], 0
        for one in self.record.paths:
            if not _counts(one):
                continue
            whole += 1
            try:
                status = os.lstat(root + one.path) if one.kind == _LINK else os.stat(root + one.path)  # noqa: PTH116
            except OSError:
                gone.append(one.path)
                continue
            other = self._other(one.path)
            if other is not None:
                taken[one.path] = other
            elif (self.thorough or _suspicious(one, status, written)) and self._edited(one):
                changed.append(one.path)
        return Contents(self.record, tuple(sorted(gone)), taken, tuple(sorted(changed)), whole)

    def _other(self, path: str) -> str | None:
        if path in self.taken:
            return self.taken[path]
        winner = self.winners.get(path)
        return None if winner is None or winner == self.record else f"{winner.name} {winner.version}"

    def _edited(self, one: InstalledPath) -> bool:
        return not rewritten(one.path) and _differs(self.conda.path / one.path, one)


def _suspicious(one: InstalledPath, status: os.stat_result, written: os.stat_result) -> bool:
    """Whether a file may have changed after its package's record was written (see `repro.capture.edits`)."""
    if one.kind == _LINK:
        return stat.S_ISREG(status.st_mode)
    if one.size not in {None, status.st_size} or status.st_mtime_ns > written.st_mtime_ns:
        return True
    own_source = one.path.endswith(".py") and status.st_nlink == 1 and os.name == "posix"
    return own_source and status.st_ctime_ns > written.st_ctime_ns


def _differs(file: Path, one: InstalledPath) -> bool:
    if one.sha256 is None or (one.kind == _LINK and file.is_symlink()):
        return False
    try:
        return Digest.of_file(file).hex != one.sha256
    except OSError:
        return False
