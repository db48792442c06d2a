"""Layers that were assembled before, by what they were made from. Safe for several builds at once and for kill -9.

`records/<2>/<key>.json` names a blob; a record is written after its blob, so one without a blob is merely forgotten.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.files import atomic_write, begin_writing, disk_errors
from repro.lock import PredictedLayer
from repro.oci.encodings import LayerBlob
from repro.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Listed:
    """One path of a layer, as far as other layers care.

    Attributes:
        path: As in `Entry.path`.
        kind: As in `Entry.kind`.
        content: Digest of a file's bytes in hex, "" where nobody computed it.
        origin: Who brought it.
    """

    path: str
    kind: str
    content: str
    origin: str


@dataclass(frozen=True, slots=True)
class CachedLayer:
    """A layer that is at hand: its digests and the file with its blob.

    `made` says that the file was written by this build, which hashed what it wrote.
    """

    blob: LayerBlob
    path: Path
    made: bool = field(default=False, compare=False)


class LayerCache:
    """Assembled layers below one directory.

    Attributes:
        directory: Where they are; made on the first write.
        fresh: Nothing is taken from it, everything is made again.
    """

    def __init__(self, directory: Path, *, fresh: bool = False) -> None:
        self.directory = directory
        self.fresh = fresh
        self._blobs = ObjectStore(directory / "blobs", durable=False)

    def get(self, key: str, predicted: PredictedLayer | None = None) -> CachedLayer | None:
        """The layer made from these inputs, or None. Its use is noted; its bytes are hashed by whoever reads them.

        One whose diff_id was taken from a prediction is only given to whoever predicts the same.
        """
        if self.fresh:
            return None
        record = self._record(key)
        try:
            fields = json.loads(record.read_bytes())
            found = _blob(fields)
            if fields["unread"] and (predicted is None or predicted.diff_id != found.diff_id):
                return None
            path = self._blobs.path(found.digest)
            if path.stat().st_size != found.size:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        try:
            os.utime(self._listing(key))
            os.utime(record)
            os.utime(path)
        except FileNotFoundError:
            return None  # somebody makes the cache smaller just now
        except OSError:
            pass  # a cache that only others may write to
        return CachedLayer(found, path)

    def add(
        self,
        key: str,
        listing: list[Listed],
        write: Callable[[Callable[[bytes], object]], LayerBlob],
        *,
        unread: bool = False,
    ) -> CachedLayer:
        """Keep what `write` writes, a blob of which it knows the digest, under `key`.

        Args:
            key: What it is made from (`repro_oci.keys`).
            listing: Its paths.
            write: Writes it.
            unread: Whether the diff_id was predicted and not computed.

        Raises:
            InfrastructureError: The disk refuses.
        """
        with disk_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.directory)
            try:
                with os.fdopen(handle, "wb") as stream:
                    blob = write(stream.write)
                    begin_writing(stream)
                self._blobs.adopt(Path(name), blob.digest)
            finally:
                Path(name).unlink(missing_ok=True)
        lines = [[item.path, item.kind, item.content, item.origin] for item in listing]
        atomic_write(self._listing(key), json.dumps(lines, separators=(",", ":")).encode(), durable=False)
        atomic_write(
            self._record(key), json.dumps(_fields(blob, unread=unread), sort_keys=True).encode(), durable=False
        )
        return CachedLayer(blob, self._blobs.path(blob.digest), made=True)

    def listing(self, key: str) -> list[Listed]:
        """The paths of a layer that `get` has found. Raises InfrastructureError when they are gone meanwhile."""
        try:
            return [Listed(*line) for line in json.loads(self._listing(key).read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            self.forget(key)
            raise InfrastructureError(
                "the layer cache was changed while it was in use",
                where=str(self._listing(key)),
                fix="Run the command again.",
            ) from error

    def forget(self, key: str) -> None:
        """Let the layer be made again next time."""
        self._record(key).unlink(missing_ok=True)

    def known(self, key: str) -> bool:
        """Whether a whole image with this key was found to be sound (`note`)."""
        return not self.fresh and self._note(key).is_file()

    def note(self, key: str) -> None:
        """Remember that a whole image is sound: its layers fit together and fit the base."""
        atomic_write(self._note(key), b"", durable=False)

    def _record(self, key: str) -> Path:
        return self.directory / "records" / key[:2] / f"{key}.json"

    def _listing(self, key: str) -> Path:
        return self.directory / "records" / key[:2] / f"{key}.paths"

    def _note(self, key: str) -> Path:
        return self.directory / "records" / key[:2] / f"{key}.sound"


def _fields(blob: LayerBlob, *, unread: bool) -> dict[str, str | int]:
    return {**asdict(blob), "diff_id": str(blob.diff_id), "digest": str(blob.digest), "unread": unread}


def _blob(fields: dict[str, object]) -> LayerBlob:
    return LayerBlob(
        diff_id=Digest.parse(str(fields["diff_id"])),
        digest=Digest.parse(str(fields["digest"])),
        size=int(str(fields["size"])),
        tar_size=int(str(fields["tar_size"])),
        media_type=str(fields["media_type"]),
    )
