"""Writes conda packages in both formats, the same bytes for the same package (CEP 35, and .tar.bz2 as before it)."""

import bz2
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tests.conda_channel.package import TIMESTAMP, CondaPackage, Member, info_members

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Format = Literal[".conda", ".tar.bz2"]
_LEVEL = 1
_ZIP_DATE = (2026, 1, 1, 0, 0, 0)
_TYPES = {"hardlink": tarfile.REGTYPE, "softlink": tarfile.SYMTYPE, "directory": tarfile.DIRTYPE}


def write_package(channel: Path, package: CondaPackage, form: Format = ".conda") -> Path:
    """Write the archive to its subdir of a channel and return where it is."""
    path = channel / package.subdir / f"{package.stem}{form}"
    path.parent.mkdir(parents=True, exist_ok=True)
    info = list(info_members(package))
    path.write_bytes(_conda(package, info) if form == ".conda" else _tar_bz2(package, info))
    return path


def _conda(package: CondaPackage, info: Iterable[Member]) -> bytes:
    """A zip that stores two compressed tars, the one with the metadata last, where a reader finds it quickly."""
    parts = {
        "metadata.json": json.dumps({"conda_pkg_format_version": 2}).encode(),
        f"pkg-{package.stem}.tar.zst": zstd.compress(_tar(package.sorted_members), level=_LEVEL),
        f"info-{package.stem}.tar.zst": zstd.compress(_tar(info), level=_LEVEL),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), data)
    return stream.getvalue()


def _tar_bz2(package: CondaPackage, info: Iterable[Member]) -> bytes:
    return bz2.compress(_tar([*info, *package.sorted_members]), 1)


def _tar(members: Iterable[Member]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            entry = tarfile.TarInfo(member.path)
            entry.type, entry.linkname, entry.mtime = _TYPES[member.kind], member.target, TIMESTAMP
            entry.mode = 0o755 if member.executable or member.kind == "directory" else 0o644
            entry.mode = 0o777 if member.kind == "softlink" else entry.mode
            entry.size = len(member.data)
            archive.addfile(entry, io.BytesIO(member.data))
    return stream.getvalue()
