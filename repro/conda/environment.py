"""An environment that conda or one of its kin made: its records (conda-meta/*.json), what was asked for (history)."""

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from repro.conda.records import DamagedRecordError, InstalledPath, Record, parse_record
from repro.conda.specs import required_name
from repro.errors import CaptureError

META = "conda-meta"
_SPECS = re.compile(r"#\s*(update|install|create|remove|uninstall) specs:\s*(\[.*\])\s*$")
_REMOVED = {"remove", "uninstall"}
_THREADS = 4


@dataclass(frozen=True)
class CondaPrefix:
    """An environment that conda, mamba, micromamba or pixi made.

    Attributes:
        path: Its root, absolute, links not resolved.
        records: Its packages, by name.
        asked: Names of those that somebody asked for.
    """

    path: Path
    records: tuple[Record, ...] = field(repr=False)
    asked: frozenset[str] = frozenset()

    @cached_property
    def real(self) -> str:
        """The root with its links resolved."""
        return os.path.realpath(self.path)

    @cached_property
    def named(self) -> Mapping[str, Record]:
        """The packages by their names."""
        return {record.name: record for record in self.records}

    @cached_property
    def owners(self) -> Mapping[str, tuple[tuple[Record, InstalledPath], ...]]:
        """Who brought each path, relative to the prefix; several may."""
        found: dict[str, tuple[tuple[Record, InstalledPath], ...]] = {}
        for record in self.records:
            for one in record.paths:
                found[one.path] = (*found.get(one.path, ()), (record, one))
        return found

    def relative(self, file: str) -> str | None:
        """The path of an absolute one below the prefix, with forward slashes; None for what lies elsewhere."""
        for root in (os.fspath(self.path), self.real):
            if file.startswith(root + os.sep):
                return file[len(root) + 1 :].replace(os.sep, "/")
        return None

    def owners_of(self, file: str) -> tuple[tuple[Record, InstalledPath], ...]:
        """Who brought a file, given absolute. The directory that holds it may be reached by links."""
        path = self.relative(file)
        found = self.owners.get(path, ()) if path is not None else ()
        if not found:
            folder, name = os.path.split(file)
            path = self.relative(os.path.join(os.path.realpath(folder), name))  # noqa: PTH118 - it is text
            found = self.owners.get(path, ()) if path is not None else ()
        return found


def is_conda(prefix: Path) -> bool:
    """Whether conda or one of its kin made an environment: then there is a record of some package."""
    return any((prefix / META).glob("*.json"))


def read_prefix(prefix: Path) -> CondaPrefix:
    """Everything that an environment's conda-meta says.

    Raises:
        CaptureError: Records are damaged, or there are two of one package; each is named.
    """
    files = sorted((prefix / META).glob("*.json"))
    problems: list[str] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        contents = list(pool.map(_content, files))
    records = [
        one for file, data in zip(files, contents, strict=True) if (one := _attempt(file, data, problems)) is not None
    ]
    problems += _doubled(records)
    if problems:
        raise CaptureError(
            "records of installed conda packages can't be used",
            where=str(prefix / META),
            problems=problems,
            fix="Install these packages again (`conda install --force-reinstall NAME`, the same with mamba; "
            "`pixi reinstall NAME`), or make the environment anew, then capture again.",
        )
    ordered = tuple(sorted(map(_completed, records), key=lambda record: record.name))
    return CondaPrefix(prefix, ordered, _asked(prefix, ordered))


def _content(file: Path) -> bytes | OSError:
    try:
        return file.read_bytes()
    except OSError as error:
        return error


def _attempt(file: Path, data: bytes | OSError, problems: list[str]) -> Record | None:
    try:
        if isinstance(data, OSError):
            raise data
        return parse_record(json.loads(data), file)
    except OSError as error:
        problems.append(f"{file.name}: it can't be read: {error.strerror}")
    except (ValueError, RecursionError) as error:  # JSON and text that isn't UTF-8 included
        problems.append(f"{file.name}: {error if isinstance(error, DamagedRecordError) else 'it is no JSON'}")
    return None


def _completed(record: Record) -> Record:
    """With what a package needs, where mamba has emptied that: it does for those of an explicit list.

    The unpacked package in mamba's cache still tells (info/index.json), as long as that is there.
    """
    if record.depends or record.sha256 or record.size or record.unpacked is None:
        return record
    try:
        index = json.loads((record.unpacked / "info" / "index.json").read_bytes())
        depends, constrains = index["depends"], index.get("constrains", [])
    except (OSError, ValueError, LookupError, TypeError):
        return record
    if not all(isinstance(one, str) for one in (*depends, *constrains)):
        return record
    return replace(record, depends=tuple(depends), constrains=tuple(constrains))


def _doubled(records: Iterable[Record]) -> Iterator[str]:
    first: dict[str, Record] = {}
    for record in records:
        other = first.setdefault(record.name, record)
        if other is not record:
            yield f"{record.name}: there are two records of it, {other.file.name} and {record.file.name}"


def _asked(prefix: Path, records: Iterable[Record]) -> frozenset[str]:
    """By the records and by the history: conda keeps both, others only one of them."""
    by_record = {record.name for record in records if record.requested}
    history = requested_in(prefix / META / "history")
    return frozenset(by_record | {record.name for record in records if record.name in history})


def requested_in(history: Path) -> set[str]:
    """Names that were asked for, and not removed since, as a history says; none where there is none."""
    try:
        lines = history.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    names: set[str] = set()
    for line in lines:
        found = _SPECS.match(line.strip())
        if found:
            given = set(_names(found[2]))
            names = names - given if found[1] in _REMOVED else names | given
    return names


def _names(listed: str) -> Iterator[str]:
    try:
        specs = ast.literal_eval(listed)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return
    for spec in specs if isinstance(specs, list | tuple) else ():
        if name := required_name(str(spec)):
            yield name
