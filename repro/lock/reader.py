"""Bytes → Lock. Every fault is reported with its path in the document, all of them at once.

An unknown major version is refused, an unknown minor is read with a warning; a file that doesn't parse
is never repaired or regenerated.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from repro.errors import IntegrityError, UsageError
from repro.lock.body import SEPARATOR, lock_body, split_lock
from repro.lock.fields import read_1_0, read_1_1, read_1_2, read_1_3, read_1_4
from repro.lock.model import SCHEMA_VERSION, Lock
from repro.lock.table import Table
from repro.lock.whole import check_whole
from repro.progress import Progress, Silent

_AGAIN = "Restore the file from version control, or delete it and write a new one with `repro capture`."
_FORMAT = re.compile(r"\d{1,9}\.\d{1,9}", re.ASCII)
_OURS = tuple(int(part) for part in SCHEMA_VERSION.split("."))
_PREDICTIONS = b"\n\n[[predicted]]\n"
"""What must follow the separator at once: a header of its own, so that nothing continues a table of the body."""


def load_lock(path: Path, progress: Progress | None = None) -> tuple[Lock, bytes]:
    """Read a lock file; returns the lock and its body, the exact bytes whose sha256 is the lock digest.

    Raises:
        UsageError: There is no such file.
        IntegrityError: It is not a lock this version can read (see `parse_lock`).
    """
    data = read_lock(path)
    return parse_lock(data, where=str(path), progress=progress), lock_body(data)


def read_lock(path: Path) -> bytes:
    """The whole of a lock file, predictions too, as it is. Raises UsageError when it can't be had."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError("there is no lock here", where=str(path), fix="Write one with `repro capture`.") from error
    except OSError as error:
        raise UsageError(f"can't read the lock: {error.strerror}", where=str(path)) from error


def parse_lock(data: bytes, *, where: str = "repro.lock", progress: Progress | None = None) -> Lock:
    """Read a lock from the bytes of its file, or of its body alone.

    Body and predictions are read apart, so that neither can say anything about the other.

    Raises:
        IntegrityError: Not TOML, an unknown major version, or fields missing, unknown or of the wrong shape;
            `problems` lists each with its path, such as `packages[3].files[0].sha256`.
    """
    body, rest = split_lock(data)
    document = _document(body, where)
    version = _version(document, where)
    if version > _OURS:
        newer = f"{where} has format {document['version']}, newer than {SCHEMA_VERSION}"
        (progress or Silent()).warn(f"{newer}: fields unknown here are ignored")
    root = Table(document)
    end = Table({} if rest is None else _predictions(rest, body.count(b"\n"), where), problems=root.problems)
    lock = _read(version, root, end)
    check_whole(root, lock)
    problems = root.problems if version > _OURS else [*root.problems, *root.unknown(), *end.unknown()]
    if problems:
        raise _damaged(where, *problems)
    return lock


def _read(version: tuple[int, ...], root: Table, end: Table) -> Lock:
    if version < (1, 1):
        return read_1_0(root)
    if version < (1, 2):
        return read_1_1(root, end)
    if version < (1, 3):
        return read_1_2(root, end)
    return read_1_3(root, end) if version < (1, 4) else read_1_4(root, end)


def _document(data: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also of integers with thousands of digits, and of deep nesting
        raise IntegrityError(f"the lock is not valid TOML: {error}", where=where, fix=_AGAIN) from error


def _predictions(rest: bytes, lines: int, where: str) -> dict[str, Any]:
    """What follows the separator, read as a document of its own; `lines` are those above, for messages."""
    if not rest.startswith(_PREDICTIONS):
        raise _damaged(where, f"predicted: the line {SEPARATOR!r} must be followed by an empty one and [[predicted]]")
    return _document(b"\n" * lines + rest, where)


def _version(document: dict[str, Any], where: str) -> tuple[int, ...]:
    version = document.get("version")
    if not isinstance(version, str) or not _FORMAT.fullmatch(version):
        raise IntegrityError("the lock does not say its format version", where=f"{where}: version", fix=_AGAIN)
    theirs = tuple(int(part) for part in version.split("."))
    if theirs[0] != _OURS[0]:
        raise IntegrityError(
            f"the lock has format {version}; this repro reads {_OURS[0]}.x",
            where=f"{where}: version",
            fix="Use the version of repro that wrote it, or capture again.",
        )
    return theirs


def _damaged(where: str, *problems: str) -> IntegrityError:
    return IntegrityError("the lock is damaged", where=where, problems=problems, fix=_AGAIN)
