"""Root file systems of images in the user's cache: unpacked once for each image, never written to afterwards.

`images/<hex of the config digest>/tree` is hard links to `layers/<hex of the diff_id>/tree`, so that images share
their layers. Whoever runs an image mounts its tree read-only.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from repro.digest import Digest
from repro.oci.folders import Folder
from repro.oci.image import Image
from repro.oci.shelf import Shelf
from repro.oci.sources import prefetch
from repro.oci.streams import checked, open_plain
from repro.oci.unpack import TREE, merge_layers, unpack_layer
from repro.store.cache import usable_cache

MOUNT_POINTS = ("dev", "proc", "sys", "tmp")
"""Directories that every container has; an image may leave them out."""
BOUND_FILES = ("hostname", "hosts")
"""Files in `etc` that are the machine's, not the image's."""
_WORKERS = 2
_BLOCK = 1 << 20


def rootfs_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where unpacked images are kept; everything there can be had again and may be removed with `repro cache`."""
    return usable_cache(environ) / "rootfs"


@contextlib.contextmanager
def rootfs(image: Image, cache: Path | None = None, *, check: bool = True) -> Iterator[Path]:
    """The root file system of an image, unpacked if it isn't yet; kept from being pruned while the context lasts.

    Args:
        image: The image.
        cache: `rootfs_cache()` by default.
        check: Also read those layers that needn't be unpacked: an image that was changed since then, but for its
            configuration, must not pass for what it was.

    Raises:
        IntegrityError: A layer isn't what the image says, or holds what can't be unpacked safely.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    cache = cache or rootfs_cache()
    layers = _Layers(image, Shelf(cache / "layers"))
    with Shelf(cache / "images").hold(Digest.of(image.config), layers.merge) as place:
        if check:
            layers.check()
        yield place / TREE


class _Layers:
    """The layers of one image on their way to a shelf."""

    def __init__(self, image: Image, shelf: Shelf) -> None:
        self._image = image
        self._shelf = shelf
        self._read: set[int] = set()

    def merge(self, place: Path) -> None:
        """Make the image's tree, of layers that are unpacked first where they aren't."""
        prefetch(self._image)
        with contextlib.ExitStack() as held:
            self._for_each(self._provide)
            layers = [held.enter_context(self._hold(number, _never)) for number in range(len(self._image.layers))]
            _merge(layers, place / TREE)

    def check(self) -> None:
        """Read every layer that wasn't read: its blob alone where that is known to be what was unpacked."""
        self._for_each(self._check)

    def _provide(self, number: int, pulse: Callable[[int], None]) -> None:
        with self._hold(number, pulse):
            pass

    def _hold(self, number: int, pulse: Callable[[int], None]) -> contextlib.AbstractContextManager[Path]:
        def unpack(place: Path) -> None:
            with open_plain(self._image, number) as stream:
                unpack_layer(stream, place, self._name(number), pulse)
            self._note(number, place)

        return self._shelf.hold(self._image.diff_ids[number], unpack)

    def _check(self, number: int, pulse: Callable[[int], None]) -> None:
        if number in self._read:
            return
        place, layer = self._shelf.place(self._image.diff_ids[number]), self._image.layers[number]
        known = _note(place, layer.digest).exists()
        with (
            checked(self._image.open_layer(number), layer.digest, layer.size, self._name(number))
            if known
            else open_plain(self._image, number)
        ) as stream:
            while block := stream.read(_BLOCK):
                pulse(len(block))
        if place.is_dir():
            self._note(number, place)

    def _note(self, number: int, place: Path) -> None:
        """Note that a blob is this layer, which only reading all of it can tell."""
        self._read.add(number)
        note = _note(place, self._image.layers[number].digest)
        with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
            note.parent.mkdir(exist_ok=True)
            note.touch()

    def _name(self, number: int) -> str:
        return f"layer {number} ({self._image.layers[number].digest})"

    def _for_each(self, work: Callable[[int, Callable[[int], None]], None]) -> None:
        """Do something with every layer, several at a time; the first failure, and Ctrl-C, ends all of it."""
        stopped = threading.Event()

        def pulse(_: int) -> None:
            if stopped.is_set():
                raise InterruptedError

        pool = ThreadPoolExecutor(_WORKERS)
        try:
            list(pool.map(lambda number: work(number, pulse), range(len(self._image.layers))))
        except BaseException:
            stopped.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _never(_: int) -> None:
    """Nothing stops this work."""


def _note(place: Path, blob: Digest) -> Path:
    return place / "blobs" / blob.hex


def _merge(layers: Sequence[Path], tree: Path) -> None:
    tree.mkdir()
    merge_layers(layers, tree)
    with Folder(tree) as folder:
        for name in MOUNT_POINTS:
            folder.make((name,))
        for name in BOUND_FILES:
            _add_file(folder.make(("etc",)), name)


def _add_file(handle: int, name: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=handle))
