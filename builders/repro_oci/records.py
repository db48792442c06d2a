"""RECORD: what a wheel's says about its members, and the one that is installed (PyPA, recording installed projects)."""

import base64
import binascii
import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from installer.records import InvalidRecordEntry, parse_record_file

from repro.digest import Digest

_LENGTHS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
"""Bytes of the digests that a wheel may use: sha256 or better (binary distribution format)."""
_SIZE = re.compile(r"[0-9]{1,18}")
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_QUOTED = re.compile(r'[,"]|\A | \Z')


@dataclass(frozen=True, slots=True)
class Recorded:
    """What RECORD says of one file.

    Attributes:
        algorithm: `sha256`, `sha384` or `sha512`.
        digest: The raw digest.
        size: Bytes.
    """

    algorithm: str
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class WheelRecord:
    """A wheel's RECORD.

    Attributes:
        files: What it says of each file, where that is well-formed.
        names: Every file that it names.
        problems: What is wrong with it, one sentence each.
    """

    files: dict[str, Recorded]
    names: frozenset[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of an installed RECORD.

    Attributes:
        path: Relative to the library directory, with slashes.
        sha256: Digest of the content; None for RECORD itself.
        size: Its bytes; None for RECORD itself.
    """

    path: str
    sha256: Digest | None
    size: int | None


def parse_record(text: str, unlisted: frozenset[str]) -> WheelRecord:
    """Read a wheel's RECORD.

    Lines of directories and of `unlisted` files (RECORD itself, its signatures) say nothing and are passed over, as
    is a line that is there twice.
    """
    try:
        rows = list(parse_record_file(text.splitlines()))
    except (InvalidRecordEntry, csv.Error) as error:
        return WheelRecord({}, frozenset(), [f"RECORD can't be read: {error}"])
    stated: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for path, digest, size in rows:
        if path in unlisted or path.endswith("/"):
            continue
        if stated.setdefault(path, (digest, size)) != (digest, size):
            problems.append(f"{path!r} is in RECORD twice, differently")
    files: dict[str, Recorded] = {}
    for path, (digest, size) in stated.items():
        record = _recorded(digest, size)
        if isinstance(record, str):
            problems.append(f"{path!r} {record}")
        else:
            files[path] = record
    return WheelRecord(files, frozenset(stated), problems)


def disagreements(sizes: Mapping[str, int], listed: frozenset[str], record: WheelRecord) -> list[str]:
    """Where RECORD and the archive differ, digests aside, one sentence each.

    Args:
        sizes: Bytes of each sound file of the archive that RECORD has to name.
        listed: Every file of the archive.
        record: What RECORD says.
    """
    unnamed = [f"{name!r} is not in RECORD" for name in sizes.keys() - record.names]
    gone = [f"{name!r} is in RECORD, but not in the wheel" for name in record.names - listed]
    other = [
        f"{name!r} has {size} bytes, RECORD says {record.files[name].size}"
        for name, size in sizes.items()
        if name in record.files and record.files[name].size != size
    ]
    return sorted(unnamed + gone + other)


def render_record(rows: Iterable[Row]) -> bytes:
    """An installed RECORD: sorted by path, one form of quoting, LF at line ends, UTF-8."""
    return "".join(_line(row) for row in sorted(rows, key=lambda row: row.path)).encode()


def _line(row: Row) -> str:
    path = '"' + row.path.replace('"', '""') + '"' if _QUOTED.search(row.path) else row.path
    digest = f"sha256={_base64(row.sha256)}" if row.sha256 else ""
    return f"{path},{digest},{'' if row.size is None else row.size}\n"


def _base64(digest: Digest) -> str:
    return binascii.b2a_base64(bytes.fromhex(digest.hex), newline=False).translate(_URL_SAFE).decode().rstrip("=")


def _recorded(digest: str, size: str) -> Recorded | str:
    if not digest or not size:
        return "has no digest or no size in RECORD"
    algorithm, _, text = digest.partition("=")
    if algorithm not in _LENGTHS:
        return f"has a digest in RECORD that is weaker than sha256, or unknown: {algorithm}"
    raw = _decoded(text)
    if len(raw) != _LENGTHS[algorithm] or not _SIZE.fullmatch(size):
        return f"has no well-formed digest and size in RECORD: {digest}, {size}"
    return Recorded(algorithm, raw, int(size))


def _decoded(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
