"""Wheels to order: well-formed ones from a few files, and ones in which a single thing is wrong."""

import base64
import hashlib
import stat
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

INFO = "demo-1.0.dist-info"
DATA = "demo-1.0.data"
NAME = "demo-1.0-py3-none-any.whl"
METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: forge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FILE = stat.S_IFREG | 0o644
PROGRAM = stat.S_IFREG | 0o755


@dataclass
class Forge:
    """A wheel in the making.

    Attributes:
        files: Content by name; METADATA and WHEEL are added unless they are there.
        modes: Unix modes; 0644 otherwise.
        method: Compression of every member.
        record: RECORD as it shall be; made from the files when None.
        leave_out: Names that are not added to the archive though RECORD lists them.
        unlisted: Names that RECORD doesn't list.
        info: Name of the `.dist-info` directory.
        algorithm: Hash in RECORD.
    """

    files: dict[str, bytes]
    modes: Mapping[str, int] = field(default_factory=dict)
    method: int = zipfile.ZIP_DEFLATED
    record: bytes | None = None
    leave_out: Iterable[str] = ()
    unlisted: Iterable[str] = ()
    info: str = INFO
    algorithm: str = "sha256"

    def write(self, folder: Path, name: str = NAME) -> Path:
        path = folder / name
        defaults = {f"{self.info}/METADATA": METADATA, f"{self.info}/WHEEL": WHEEL}
        files = {**{name: data for name, data in defaults.items() if name not in self.files}, **self.files}
        files.setdefault(f"{self.info}/RECORD", self.record if self.record is not None else self._record(files))
        with zipfile.ZipFile(path, "w", self.method) as archive:
            for member, data in files.items():
                if member not in self.leave_out:
                    archive.writestr(self._item(member), data, self.method)
        return path

    def _item(self, member: str) -> zipfile.ZipInfo:
        item = zipfile.ZipInfo(member)
        item.external_attr = self.modes.get(member, FILE) << 16
        return item

    def _record(self, files: Mapping[str, bytes]) -> bytes:
        rows = [row(name, data, self.algorithm) for name, data in files.items() if name not in self.unlisted]
        return "".join([*rows, f"{self.info}/RECORD,,\n"]).encode()


def row(name: str, data: bytes, algorithm: str = "sha256") -> str:
    """A line of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    quoted = '"' + name.replace('"', '""') + '"' if {",", '"'} & set(name) else name
    return f"{quoted},{algorithm}={digest},{len(data)}\n"


def patched(path: Path, old: bytes, new: bytes, *, last: bool = False) -> Path:
    """The file with one occurrence of `old`, the first or the last, replaced by as many other bytes."""
    data = path.read_bytes()
    assert len(old) == len(new)
    at = data.rindex(old) if last else data.index(old)
    path.write_bytes(data[:at] + new + data[at + len(old) :])
    return path
