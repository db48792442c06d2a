"""Assembling layers: each job is a plain value, each result is in the cache when it's done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.digest import Digest
from repro.lock import Encoding, PredictedLayer
from repro.oci.encodings import LayerBlob, splice_unread, write_layer
from repro.oci.entry import Entry
from repro.oci.tree import complete
from repro.plan import Item
from repro_oci.cache import CachedLayer, LayerCache, Listed
from repro_oci.items import item_entries


@dataclass(frozen=True, slots=True)
class Job:
    """One layer to be made.

    Attributes:
        name: The layer's name in the plan.
        key: Its key in the cache.
        encoding: How it is compressed.
        items: What it holds: no `Deb`, no `Compile`.
        files: Local files of the items' contents, already checked.
        minor: `3.11`, of the image's Python.
        weight: Bytes of input, for progress.
        effort: How long it takes, in arbitrary units, for the order of work.
        predicted: What the layer will be, where the lock says so.
    """

    name: str
    key: str
    encoding: Encoding
    items: tuple[Item, ...]
    files: Mapping[Digest, Path]
    minor: str
    weight: int
    effort: int
    predicted: PredictedLayer | None = None


def assemble(job: Job, cache: LayerCache) -> CachedLayer:
    """Make one layer and keep it.

    Where its blob is predicted, streams are copied without looking into them: the digest shows that it is the blob
    which was unpacked and checked when it was predicted. If it isn't, everything is looked at, to tell what is wrong.

    Raises:
        IntegrityError: Inputs can't be trusted.
        InfrastructureError: The disk refuses.
    """
    whole = complete(entry for item in job.items for entry in item_entries(item, job.files, job.minor))
    if job.predicted is not None and job.predicted.blob is not None and job.encoding == "splice":
        made = _keep_predicted(job.key, whole, job.predicted, cache)
        if made is not None:
            return made
    return _keep(job.key, whole, job.encoding, cache)


def keep(key: str, entries: Sequence[Entry], encoding: Encoding, cache: LayerCache) -> CachedLayer:
    """Write a layer of these entries to the cache. Raises as `assemble` does."""
    return _keep(key, complete(entries), encoding, cache)


def _keep(key: str, whole: Sequence[Entry], encoding: Encoding, cache: LayerCache) -> CachedLayer:
    def blob(write: Callable[[bytes], object]) -> LayerBlob:
        return write_layer(whole, encoding, write)

    return cache.add(key, [_listed(entry) for entry in whole], blob)


class _OtherBlobError(Exception):
    """Ends the writing of a blob that isn't the predicted one; never leaves this module."""


def _keep_predicted(
    key: str, whole: Sequence[Entry], predicted: PredictedLayer, cache: LayerCache
) -> CachedLayer | None:
    """Write the predicted blob to the cache; None, and nothing in the cache, when another one comes out."""

    def blob(write: Callable[[bytes], object]) -> LayerBlob:
        made = splice_unread(whole, predicted.diff_id, write)
        if made.digest != predicted.blob:
            raise _OtherBlobError
        return made

    try:
        return cache.add(key, [_listed(entry) for entry in whole], blob, unread=True)
    except _OtherBlobError:
        return None


def _listed(entry: Entry) -> Listed:
    return Listed(entry.path, entry.kind, _content(entry), entry.origin)


def _content(entry: Entry) -> str:
    if entry.kind in ("symlink", "hardlink"):
        return entry.target
    known = entry.body.sha256 if entry.body else None
    return known.hex if known else ""
