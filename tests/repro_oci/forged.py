"""Small bases made in memory, and supplies that remember what they were asked for."""

import gzip
import io
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from repro.digest import Digest
from repro.oci.documents import canonical, manifest_json
from repro.oci.image import CONFIG, DOCKER_LAYER_GZIP, LAYER_GZIP, Descriptor
from repro.plan import Artifacts


@dataclass(frozen=True)
class ForgedBase:
    """A base (`repro.oci.image.Image`) of gzip'd layers."""

    blobs: tuple[bytes, ...]
    config: bytes
    media_type: str = LAYER_GZIP
    platform: str = "linux/amd64"

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return tuple(Descriptor(self.media_type, Digest.of(blob), len(blob)) for blob in self.blobs)

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        return tuple(Digest.of(gzip.decompress(blob)) for blob in self.blobs)

    @property
    def manifest(self) -> bytes:
        return manifest_json(Descriptor(CONFIG, Digest.of(self.config), len(self.config)), self.layers)

    def open_layer(self, number: int) -> BinaryIO:
        return io.BytesIO(self.blobs[number])


def tar(files: Mapping[str, bytes | str | None]) -> bytes:
    """A tar of files (bytes), symbolic links (text) and directories (None)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            match content:
                case bytes():
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
                case str():
                    info.type, info.linkname = tarfile.SYMTYPE, content
                    archive.addfile(info)
                case None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(info)
    return data.getvalue()


def base(
    *layers: Mapping[str, bytes | str | None],
    settings: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    docker: bool = False,
    platform: str = "linux/amd64",
) -> ForgedBase:
    """A base with these layers and this runtime configuration."""
    tars = [tar(layer) for layer in layers or ({"usr": None, "lib": "usr/lib", "usr/lib": None},)]
    document = {
        "architecture": platform.partition("/")[2],
        "os": platform.partition("/")[0],
        "config": dict(settings or {}),
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(one)) for one in tars]},
        **({"history": list(history)} if history is not None else {}),
    }
    blobs = tuple(gzip.compress(one, mtime=0) for one in tars)
    media_type = DOCKER_LAYER_GZIP if docker else LAYER_GZIP
    return ForgedBase(blobs, canonical(document), media_type, platform)


@dataclass
class Stock:
    """Supplies from a fixed set of files; `asked` has every digest that was wanted."""

    files: Mapping[Digest, Path]
    asked: list[Digest] = field(default_factory=list)

    def bring(self, digests: Collection[Digest]) -> Artifacts:
        self.asked += digests
        return {digest: self.files[digest] for digest in digests}
