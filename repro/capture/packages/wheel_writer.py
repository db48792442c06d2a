"""Writes wheels whose bytes depend on nothing but the files in them (binary distribution format, PyPA).

Members are stored uncompressed in a fixed order with fixed times and modes, so that no zlib, clock or umask shows.
"""

import base64
import csv
import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.files import atomic_file

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_BLOCK = 1 << 20

INSTALL_TRACES = frozenset(
    {
        "INSTALLER",
        "REQUESTED",
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "direct_url.json",
        "provenance_url.json",
        "uv_build.json",
        "uv_cache.json",
    }
)
"""Files of a `.dist-info` that tell of one installation, or sign a RECORD that is written anew."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a wheel.

    Attributes:
        path: POSIX path inside the wheel.
        size: Bytes that `open` will give.
        open: A new stream over the content.
        executable: Whether it is installed with execute permission.
    """

    path: str
    size: int
    open: Callable[[], IO[bytes]]
    executable: bool = False

    @classmethod
    def of_bytes(cls, path: str, data: bytes, *, executable: bool = False) -> "Member":
        """A member with this content."""
        return cls(path, len(data), lambda: io.BytesIO(data), executable)

    @classmethod
    def of_file(cls, path: str, source: Path, *, executable: bool = False) -> "Member":
        """A member with the content of a file on disk. Raises OSError when there is none."""
        return cls(path, source.stat().st_size, lambda: source.open("rb"), executable)


def copy_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Member:
    """A member of another wheel, under a path of its own."""
    executable = bool((info.external_attr >> 16) & stat.S_IXUSR)
    return Member(path, info.file_size, lambda: archive.open(info), executable)


def write_wheel(path: Path, dist_info: str, members: Iterable[Member]) -> Mapping[str, str]:
    """Write a wheel at `path`, atomically, with a fresh RECORD as its last member.

    Args:
        path: Where it goes.
        dist_info: Name of its `.dist-info` directory.
        members: Everything but RECORD, in any order.

    Returns:
        The RECORD form of each member's sha256 (`sha256=<urlsafe base64 without padding>`), by its path.

    Raises:
        OSError: A member can't be read.
        InfrastructureError: The disk refuses.
    """
    record = f"{dist_info}/RECORD"
    rows: dict[str, tuple[str, int]] = {}
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for member in sorted(members, key=lambda one: (one.path.startswith(f"{dist_info}/"), one.path)):
            rows[member.path] = _add(archive, member)
        _add(archive, Member.of_bytes(record, _record(rows, record)))
    return {name: digest for name, (digest, _) in rows.items()}


def wheel_metadata(tags: Iterable[str], *, purelib: bool) -> bytes:
    """The content of a WHEEL file."""
    lines = ["Wheel-Version: 1.0", "Generator: repro", f"Root-Is-Purelib: {'true' if purelib else 'false'}"]
    return "\n".join([*lines, *(f"Tag: {tag}" for tag in sorted(set(tags))), ""]).encode()


def wheel_file_name(name: str, version: str, tags: Iterable[str]) -> str:
    """The file name with tags compressed (platform compatibility tags, "Compressed tag sets").

    A name can only say a product of interpreters, ABIs and platforms; tags always come from such a product.
    """
    parts = [sorted(set(column)) for column in zip(*(tag.split("-") for tag in tags), strict=True)]
    try:
        normalised = str(Version(version))
    except InvalidVersion:
        normalised = version.replace("-", "_")
    return "-".join([escaped_name(name), normalised, *(".".join(part) for part in parts)]) + ".whl"


def escaped_name(name: str) -> str:
    """A project name as it stands in wheel file names and `.dist-info` directories."""
    return canonicalize_name(name).replace("-", "_")


def record_digest(raw: bytes, algorithm: str = "sha256") -> str:
    """A digest in RECORD's form."""
    return f"{algorithm}={base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def _add(archive: zipfile.ZipFile, member: Member) -> tuple[str, int]:
    info = zipfile.ZipInfo(member.path, _EPOCH)
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | (0o755 if member.executable else 0o644)) << 16
    info.file_size = member.size  # decides, before the first byte, whether zip64 fields are needed
    hasher = hashlib.sha256()
    size = 0
    with member.open() as source, archive.open(info, "w") as target:
        while block := source.read(_BLOCK):
            hasher.update(block)
            size += target.write(block)
    return record_digest(hasher.digest()), size


def _record(rows: Mapping[str, tuple[str, int]], record: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((path, *rows[path]) for path in sorted(rows))
    writer.writerow((record, "", ""))
    return text.getvalue().encode()
