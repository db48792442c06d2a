"""Profiles of files, made by the program in `tables` in a process of its own and kept in the user's cache."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from repro.digest import Digest
from repro.errors import InfrastructureError, TimedOutError
from repro.files import atomic_write
from repro.lock import Column, Profile
from repro.process import run
from repro.profiles.limits import ProfileLimits

_TABLES = Path(__file__).parent / "tables"
_TEXT = {".csv", ".tsv", ".tab", ".psv"}
_COMPRESSED = {".gz": "gz", ".bz2": "bz2", ".xz": "xz"}
_ARROW = {".parquet": "parquet", ".pq": "parquet", ".feather": "ipc", ".arrow": "ipc", ".arrows": "ipc", ".ipc": "ipc"}
_PATIENCE = 30.0  # seconds beyond its own limit, for a library that is busy with one batch


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file that may be a table.

    Attributes:
        path: As the lock names it, which tells the format.
        place: Where its content is.
        sha256: Digest of that content.
        size: Bytes.
    """

    path: str
    place: Path
    sha256: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Profiled:
    """Profiles, sorted by path, and a sentence for each table that has none."""

    profiles: tuple[Profile, ...]
    notes: tuple[str, ...]


def profile_files(
    files: Iterable[TableFile], limits: ProfileLimits, pythons: Sequence[Path], cache: Path | None = None
) -> Profiled:
    """Profile every file whose name says that it is a table.

    Args:
        files: All files; those of other formats are passed over without a word.
        limits: What it may cost.
        pythons: Interpreters for Arrow's formats; the first that has pyarrow does them. Text needs nothing but the
            first one's standard library.
        cache: Directory that keeps profiles by the content of files, or None.
    """
    work = _Work(limits, cache)
    if limits.enabled:
        tables = [file for file in files if table_kind(file.path)]
        work.take_known(tables)
        for number, python in enumerate(dict.fromkeys(pythons)):
            rest = [file for file in tables if work.is_open(file, first=number == 0)]
            if rest:
                work.ask(rest, python)
    notes = (f"no profile of {path}: {reason}" for path, reason in sorted(work.problems.items()))
    return Profiled(tuple(sorted(work.found.values(), key=lambda one: one.path)), tuple(notes))


def table_kind(path: str) -> str | None:
    """How to read a file, told by its name: `text`, `text.gz`, `parquet`, `ipc`; None when it is no table."""
    pure = PurePosixPath(path.lower())
    if pure.suffix in _ARROW:
        return _ARROW[pure.suffix]
    compressed = _COMPRESSED.get(pure.suffix)
    plain = PurePosixPath(pure.stem) if compressed else pure
    return ".".join(filter(None, ["text", compressed])) if plain.suffix in _TEXT else None


class _Work:
    """One request under way."""

    def __init__(self, limits: ProfileLimits, cache: Path | None) -> None:
        self.found: dict[str, Profile] = {}
        self.problems: dict[str, str] = {}
        self._limits = limits
        self._cache = cache
        self._end = time.monotonic() + limits.seconds

    def take_known(self, files: Iterable[TableFile]) -> None:
        """Those that the cache has, and refusals of those that are too large."""
        for file in files:
            known = self._kept(file)
            if known is not None:
                self.found[file.path] = known
            elif file.size > self._limits.size:
                self.problems[file.path] = f"it has {file.size} bytes; [files] profile-size allows {self._limits.size}"

    def is_open(self, file: TableFile, *, first: bool) -> bool:
        """Whether another interpreter may be able to do what none could so far."""
        problem = self.problems.get(file.path, "")
        return file.path not in self.found and ((first and not problem) or problem.startswith(_NO_PYARROW))

    def ask(self, files: Sequence[TableFile], python: Path) -> None:
        """Have an interpreter profile files."""
        by_path = {file.path: file for file in files}
        for answer in _answers(files, python, max(0.0, self._end - time.monotonic())):
            file = by_path.pop(answer.pop("path"))
            problem = answer.get("problem")
            if problem is not None:
                reason = {"time": _NO_TIME.format(self._limits.seconds), "pyarrow": f"{_NO_PYARROW} for {python}"}
                self.problems[file.path] = reason.get(problem, problem)
            else:
                self.problems.pop(file.path, None)
                self.found[file.path] = _profile(file.path, answer)
                self._keep(file, answer)
        for path in by_path:
            self.problems[path] = f"{python} gave no answer"

    def _kept(self, file: TableFile) -> Profile | None:
        """The profile in the cache; one that is damaged counts as none."""
        if self._cache is None:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError):
            place = self._place(self._cache, file)
            profile = _profile(file.path, json.loads(place.read_bytes()))
            os.utime(place)
            return profile
        return None

    def _keep(self, file: TableFile, answer: Mapping[str, Any]) -> None:
        if self._cache is not None:
            with suppress(InfrastructureError):  # a cache that can't be written is no reason to stop
                atomic_write(self._place(self._cache, file), json.dumps(answer).encode(), durable=False)

    @staticmethod
    def _place(cache: Path, file: TableFile) -> Path:
        key = f"{_program()}\n{file.sha256}\n{table_kind(file.path)}"
        return cache / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


_NO_PYARROW = "pyarrow isn't installed"
_NO_TIME = "[files] profile-seconds, {:g} s for all tables, were over"


def _answers(files: Sequence[TableFile], python: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """What the program said of each file; nothing of those that it didn't come to."""
    request = {
        "files": [{"path": file.path, "place": str(file.place), "kind": table_kind(file.path)} for file in files],
        "seconds": seconds,
    }
    try:
        with tempfile.TemporaryDirectory(prefix="repro-profiles-") as folder:
            done = run(
                [python, "-B", _TABLES],
                cwd=Path(folder),
                stdin=json.dumps(request),
                timeout=seconds + _PATIENCE,
                check=False,
            )
    except (InfrastructureError, TimedOutError, OSError):
        return
    for line in done.stdout.splitlines():
        with suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict) and "path" in answer:
                yield answer


def _profile(path: str, answer: Mapping[str, Any]) -> Profile:
    return Profile(path, answer["rows"], tuple(_column(one) for one in answer["columns"]))


def _column(answer: Mapping[str, Any]) -> Column:
    return Column(**{**answer, "quantiles": tuple(map(float, answer["quantiles"]))})


def _program() -> str:
    """Digest of the program: another one may see another thing in the same file."""
    files = sorted(resources.files("repro.profiles.tables").iterdir(), key=lambda file: file.name)
    texts = (file.read_bytes().replace(b"\r\n", b"\n") for file in files if file.name.endswith(".py"))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()
