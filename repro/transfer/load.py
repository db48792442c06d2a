"""An image straight into an engine: only the layers that it lacks are opened and sent; no file is written here."""

import contextlib
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from docker.utils import parse_repository_tag

from repro.digest import Digest
from repro.engines import DockerEngine, EngineInfo, ImageInfo
from repro.engines.failures import closing_responses, engine_errors, refused
from repro.errors import IntegrityError, ReproError
from repro.oci.image import LAYER_ZSTD, Image
from repro.oci.sources import prefetch
from repro.oci.streams import drain, open_plain
from repro.oci.write_archive import archive
from repro.oci.write_layout import blob_path
from repro.progress import Progress, Silent
from repro.transfer.unpacked import unpacked_image

_CHEAP = 16 << 20
"""Bytes that are sent sooner than an engine is asked whether it has them."""
_PATIENCE = 10.0
"""Seconds that an interrupted load waits for an engine which has everything and can't be stopped."""
_WORKERS = 2
_FIRST_WITH_ZSTD = 23
"""Docker's version; `docker load` of an older one takes such a layer for a damaged tar."""
_CONTAINERD = "io.containerd.snapshotter"
_LOADED = re.compile(r"Loaded image ID: (sha256:[0-9a-f]{64})")


def load(engine: DockerEngine, image: Image, *, tags: Sequence[str], progress: Progress) -> ImageInfo:
    """Have an engine hold an image under these names (`name:tag`) and no others moved.

    Engines with graph drivers (overlay2 and the like) take an archive whose first layers are missing when they have
    them already, and name the first layer that they would need; others get the whole image. An interrupted load leaves
    nothing, unless an engine that has everything takes longer than ten seconds to finish: that image is whole.

    Raises:
        IntegrityError: A layer is not what the image says, or the engine made another image of it.
        InfrastructureError: The engine refuses or fails, or a layer can't be had.
    """
    found = _present(engine, image)
    if found is None:
        _send(engine, image, tags, progress)
        found = _present(engine, image)
    if found is None or list(found.diff_ids) != [str(digest) for digest in image.diff_ids]:
        raise IntegrityError("the engine did not make the image that it was given", where=str(_ids(image)[0]))
    return _tagged(engine, found, tags)


def _ids(image: Image) -> tuple[str, str]:
    """Under which IDs an engine may know it: graph drivers by configuration, the containerd store by manifest."""
    return str(Digest.of(image.config)), str(Digest.of(image.manifest))


def _present(engine: DockerEngine, image: Image) -> ImageInfo | None:
    found = (engine.image(digest) for digest in _ids(image))
    return next((info for info in found if info is not None and info.id in _ids(image)), None)


def _tagged(engine: DockerEngine, info: ImageInfo, tags: Sequence[str]) -> ImageInfo:
    missing = [tag for tag in tags if tag not in info.tags]
    for name in missing:
        repository, tag = parse_repository_tag(name)
        with engine_errors("name the image", name):
            engine.client.api.tag(info.id, repository, tag)
    return (engine.image(info.id) or info) if missing else info


def _send(engine: DockerEngine, image: Image, tags: Sequence[str], progress: Progress) -> None:
    """Send the archive; as long as the engine names a layer that it needs, again with more layers."""
    info = engine.info()
    if info.name != "docker":
        _prove(image)
    in_parts = info.name == "docker" and not _in_containerd(engine)
    first: int | None = _first(engine, image, tags) if in_parts else 0
    sent = unpacked_image(image) if in_parts and _wants_plain(info, image) else image
    while first is not None:
        first = _attempt(engine, sent, first, progress)


def _prove(image: Image) -> None:
    """Check every layer's content, for an engine that wouldn't: Podman stores it under any diff_id that is claimed."""
    prefetch(image)
    with ThreadPoolExecutor(_WORKERS, "check") as pool:
        for _ in pool.map(lambda number: _read(image, number), range(len(image.layers))):
            pass


def _read(image: Image, number: int) -> None:
    with open_plain(image, number) as stream:
        drain(stream)


def _in_containerd(engine: DockerEngine) -> bool:
    with engine_errors("describe itself"):
        status = engine.client.api.info().get("DriverStatus") or ()
    return any(_CONTAINERD in str(value) for pair in status for value in pair)


def _wants_plain(info: EngineInfo, image: Image) -> bool:
    """Whether layers are better decompressed here, or have to be."""
    is_zstd = any(layer.media_type == LAYER_ZSTD for layer in image.layers)
    return (is_zstd and not _reads_zstd(info)) or _has_pigz(info)


def _reads_zstd(info: EngineInfo) -> bool:
    major = info.version.partition(".")[0]
    return not major.isdigit() or int(major) >= _FIRST_WITH_ZSTD


def _has_pigz(info: EngineInfo) -> bool:
    """Whether an engine of this machine has gzip undone by pigz, as Docker does where that is installed.

    pigz starts threads for every member of a gzip file, of which spliced layers have thousands: plain layers are loaded
    sooner (docs/adr/0006-layers-without-a-compressor.md).
    """
    return info.endpoint.startswith("unix:") and shutil.which("unpigz") is not None


def _first(engine: DockerEngine, image: Image, tags: Sequence[str]) -> int:
    """The first layer to send at the first try: what an image of the same name lacks if that is little, else none."""
    known = (engine.image(tag) for tag in tags)
    shared = max((_shared(image, info) for info in known if info is not None), default=0)
    return shared if shared and _bytes(image, shared) <= _CHEAP else len(image.layers)


def _shared(image: Image, other: ImageInfo) -> int:
    """How many layers, from the base on, both have."""
    pairs = zip((str(digest) for digest in image.diff_ids), other.diff_ids, strict=False)
    return next(
        (number for number, (ours, theirs) in enumerate(pairs) if ours != theirs),
        min(len(image.diff_ids), len(other.diff_ids)),
    )


def _bytes(image: Image, first: int) -> int:
    return sum(layer.size for layer in image.layers[first:])


def _attempt(engine: DockerEngine, image: Image, first: int, progress: Progress) -> int | None:
    """Send the layers from `first` on. Returns the first layer to send at the next try, None when it was loaded."""
    sent = {layer.digest for layer in image.layers[first:]}
    without = frozenset(layer.digest for layer in image.layers) - sent
    reason = _load(engine, image, archive([image], references=(), without=without), _bytes(image, first), progress)
    if reason is None:
        return None
    if "diffID" in reason:
        raise IntegrityError(
            "the engine refuses the image: a layer's content is not what its configuration says", details=reason
        )
    if not first:
        raise refused("load the image", reason)
    needed = next((number for number, layer in enumerate(image.layers) if blob_path(layer.digest) in reason), 0)
    return needed if needed < first else 0


def _load(engine: DockerEngine, image: Image, blocks: Iterable[bytes], total: int, progress: Progress) -> str | None:
    """Stream an archive into the engine; returns why it refused, or None."""
    cancelled = threading.Event()
    task = progress.start("Loading the image", total, "bytes") if total else Silent().start("")

    def counted() -> Iterator[bytes]:
        for block in blocks:
            if cancelled.is_set():
                raise _CancelledError
            yield block
            task.advance(len(block))

    work: Future[str | None] = Future()
    thread = threading.Thread(target=_settle, args=(work, lambda: _answer(engine, image, counted())), daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        cancelled.set()
        thread.join(_PATIENCE)
        _forget(engine, _ids(image))
        raise
    task.finish()
    return work.result()


class _CancelledError(Exception):
    pass


def _settle(work: Future[str | None], load: Callable[[], str | None]) -> None:
    try:
        work.set_result(load())
    except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
        work.set_exception(error)


def _answer(engine: DockerEngine, image: Image, blocks: Iterator[bytes]) -> str | None:
    api = engine.client.api
    made: list[str] = []
    with closing_responses(api), engine_errors("load the image"):
        for item in api.load_image(blocks, quiet=False):  # type: ignore[no-untyped-call]
            if "error" in item:
                return str(item["error"])
            made += _LOADED.findall(str(item.get("stream", "")))
    _forget(engine, [name for name in made if name not in _ids(image)])
    return None


def _forget(engine: DockerEngine, images: Iterable[str]) -> None:
    """Remove images that a load has made and nobody has named."""
    for name in images:
        with contextlib.suppress(ReproError), engine_errors("remove an image", name):
            info = engine.image(name)
            if info is not None and not info.tags:
                engine.client.api.remove_image(name)
