"""Small images made up by hand, that count who opens their layers."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from repro.digest import Digest
from repro.oci import tar
from repro.oci.bodies import Inline
from repro.oci.documents import canonical, manifest_json
from repro.oci.entry import Entry
from repro.oci.image import CONFIG, LAYER, LAYER_GZIP, Descriptor


@dataclass(frozen=True)
class Forged:
    """An `Image` in memory; `opened` has the number of every layer that was opened, in order."""

    manifest: bytes
    config: bytes
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[Digest, ...]
    platform: str
    blobs: tuple[bytes, ...]
    opened: list[int] = field(default_factory=list)

    def open_layer(self, number: int) -> BinaryIO:
        self.opened.append(number)
        return io.BytesIO(self.blobs[number])

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)

    @property
    def id(self) -> str:
        return str(Digest.of(self.config))

    def with_blob(self, number: int, data: bytes) -> "Forged":
        """The same image, but the blob of a layer has become something else."""
        return replace(self, blobs=(*self.blobs[:number], data, *self.blobs[number + 1 :]), opened=[])


def layer(files: Mapping[str, bytes]) -> bytes:
    """A plain tar of files, whose directories are given as `name/`."""
    entries = [
        Entry(path.rstrip("/"), "directory", 0o755) if path.endswith("/") else Entry(path, "file", 0o644, Inline(data))
        for path, data in files.items()
    ]
    return b"".join(tar.stream(entries))


def forge(
    *layers: bytes,
    platform: str = "linux/amd64",
    labels: Mapping[str, str] | None = None,
    packed: bool = True,
    diff_ids: Sequence[Digest] | None = None,
) -> Forged:
    """An image of plain tars, gzipped when `packed`; `diff_ids` may be wrong ones."""
    system, machine = platform.split("/")
    ids = tuple(map(Digest.of, layers)) if diff_ids is None else tuple(diff_ids)
    config = canonical(
        {
            "os": system,
            "architecture": machine,
            "created": "1980-01-01T00:00:00Z",
            "config": {"Labels": dict(labels or {"dev.repro.test": "forged"}), "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [str(one) for one in ids]},
            "history": [{"created_by": f"layer {number}"} for number in range(len(ids))],
        }
    )
    blobs = tuple(gzip.compress(data, mtime=0) if packed else data for data in layers)
    kind = LAYER_GZIP if packed else LAYER
    found = tuple(Descriptor(kind, Digest.of(blob), len(blob)) for blob in blobs)
    manifest = manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), found)
    return Forged(manifest, config, found, ids, platform, blobs)


def changed(image: Forged, **fields: object) -> Forged:
    """The same image with another configuration (fields replaced, None: left out), manifest and all."""
    config = {**json.loads(image.config), **fields}
    data = canonical({key: value for key, value in config.items() if value is not None})
    manifest = manifest_json(Descriptor(CONFIG, Digest.of(data), len(data)), image.layers)
    return replace(image, manifest=manifest, config=data, opened=[])
