"""Package archives made by hand, among them those that nobody should make."""

import bz2
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLACEHOLDER = "/home/builder/placehold_placehold_placehold"
INDEX = {"name": "demo", "version": "1.0", "build": "h0_0", "build_number": 0, "depends": [], "subdir": "linux-64"}


@dataclass(frozen=True)
class Item:
    """A member of a tar: what `tarfile` may be told of it."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Forged:
    """A package, well-formed where it isn't told to be anything else.

    Attributes:
        items: Its payload.
        paths: info/paths.json's entries; those of the items where None.
        index: Changes to info/index.json.
        info: More or other documents below info/, None for one that is missing.
        parts: More or other members of the zip.
    """

    items: tuple[Item, ...] = ()
    paths: tuple[Mapping[str, Any], ...] | None = None
    index: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, bytes | None] = field(default_factory=dict)
    parts: Mapping[str, bytes | None] = field(default_factory=dict)

    def write(self, folder: Path, name: str = "demo-1.0-h0_0.conda") -> Path:
        """The archive, of the kind that its name says."""
        path = folder / name
        path.write_bytes(self._zip() if name.endswith(".conda") else bz2.compress(self._tar(both=True)))
        return path

    def _zip(self) -> bytes:
        parts: dict[str, bytes | None] = {
            "metadata.json": b'{"conda_pkg_format_version": 2}',
            "pkg-demo-1.0-h0_0.tar.zst": zstd.compress(tar(self.items)),
            "info-demo-1.0-h0_0.tar.zst": zstd.compress(self._tar(both=False)),
            **self.parts,
        }
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, data in parts.items():
                if data is not None:
                    archive.writestr(name, data)
        return stream.getvalue()

    def _tar(self, *, both: bool) -> bytes:
        documents: dict[str, bytes | None] = {
            "index.json": json.dumps({**INDEX, **self.index}).encode(),
            "paths.json": json.dumps({"paths": self._paths(), "paths_version": 1}).encode(),
            **self.info,
        }
        info = [Item(f"info/{name}", data) for name, data in documents.items() if data is not None]
        return tar([*info, *(self.items if both else ())])

    def _paths(self) -> list[Mapping[str, Any]]:
        return [entry(item) for item in self.items] if self.paths is None else list(self.paths)


def entry(item: Item, **changes: Any) -> dict[str, Any]:
    """What paths.json says of an item."""
    kinds = {tarfile.SYMTYPE: "softlink", tarfile.DIRTYPE: "directory"}
    fields = {
        "_path": item.path,
        "path_type": kinds.get(item.kind, "hardlink"),
        "sha256": hashlib.sha256(item.data).hexdigest(),
        "size_in_bytes": len(item.data),
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def with_prefix(item: Item, mode: str = "text", placeholder: str = PLACEHOLDER) -> dict[str, Any]:
    """The same of one that holds the prefix it was built in."""
    return entry(item, file_mode=mode, prefix_placeholder=placeholder)


def tar(items: Iterable[Item]) -> bytes:
    """A tar of these members, whatever they are."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for item in items:
            info = tarfile.TarInfo(item.path)
            info.mode, info.type, info.linkname = item.mode, item.kind, item.target
            info.size = len(item.data) if item.size is None else item.size
            if item.size is None:
                archive.addfile(info, io.BytesIO(item.data))
            else:  # a lie, which newer versions of Python refuse to write
                archive.offset += stream.write(info.tobuf(tarfile.PAX_FORMAT))
    return stream.getvalue()
