"""Images into an OCI image layout: a directory of blobs and an index (image-spec, image-layout.md).

Writers of one layout take turns, and its index is replaced last and at once: whoever reads it sees whole images.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from repro.digest import Digest
from repro.errors import UsageError
from repro.files import PLACE, atomic_write, disk_errors
from repro.oci.blobs import Blob, bring, entries, stored, write_blobs
from repro.oci.documents import REF_NAME, canonical, index_json, parse_index, parse_object
from repro.oci.image import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, Image
from repro.oci.layouts import INDEX_FILE, LAYOUT_FILE

LAYOUT = canonical({"imageLayoutVersion": "1.0.0"})
"""What the file `oci-layout` holds."""

_REFERRING = frozenset({INDEX, DOCKER_INDEX, MANIFEST, DOCKER_MANIFEST})
_FOLDER_MODE = 0o755
_READERS = 4
_Entry = Mapping[str, Any]


def blob_path(digest: Digest) -> str:
    """Where a blob is in a layout, as a POSIX path relative to it."""
    return f"blobs/sha256/{digest.hex}"


def write_layout(images: Sequence[Image], directory: Path, *, references: Sequence[str]) -> Digest:
    """Add an image, or one for each of several platforms, to a layout; the directory is made when there is none.

    Every reference names it (`org.opencontainers.image.ref.name`) from then on; other images stay, and what only a
    replaced one needed is removed. The bytes depend on nothing but images, references and what was there before.

    Returns:
        The digest of the manifest, or of the index of several platforms.

    Raises:
        UsageError: The directory holds something else, or two images are for the same platform.
        IntegrityError: An image is not what its manifest says, or the layout's index is damaged; nothing was changed.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    what = stored(images)
    new = _listed(index_json(entries(what, [{REF_NAME: reference} for reference in dict.fromkeys(references)])))
    with _opened(directory):
        old = _entries(directory)
        index = _merged(old, new)
        missing = _missing(directory, what.blobs)
        bring(images, {blob.sha256 for blob in missing})
        with _all_or_none(directory, missing):
            atomic_write(directory / INDEX_FILE, _index_bytes(index))
        replaced = [entry for entry in old if entry not in index]
        if replaced:
            _remove(directory, _reachable(directory, replaced) - _reachable(directory, index))
    return what.root.digest


def prune_layout(directory: Path) -> int:
    """Remove the blobs of a layout that nothing in its index leads to; returns how many bytes that freed.

    Other programs may add to the layout without waiting for their turn: don't prune while one of them runs.

    Raises:
        UsageError: It is no layout.
        IntegrityError: Its index, or a document that this leads to, is damaged; nothing was removed.
        InfrastructureError: The disk refuses.
    """
    if not (directory / LAYOUT_FILE).is_file():
        raise UsageError("not an image layout: it has no file oci-layout", where=str(directory))
    with _opened(directory):
        needed = _reachable(directory, _entries(directory))
        found = {Digest(path.name) for path in _folder(directory).iterdir() if _is_blob(path.name)}
        return _remove(directory, found - needed)


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[None]:
    """Be the only writer of a layout, and tidy up what killed ones left. Directories that stay empty are removed."""
    folders = [directory, directory / "blobs", _folder(directory)]
    with disk_errors(directory):
        missing = [folder for folder in folders if not folder.exists()]
        try:
            with _turn(directory):
                _check_kind(directory)
                folders[-1].mkdir(parents=True, exist_ok=True)
                for folder in missing:
                    folder.chmod(_FOLDER_MODE)
                for place in (directory, folders[-1]):
                    _sweep(place)
                yield
        except BaseException:
            _remove_empty(missing)
            raise


def _remove_empty(folders: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in reversed(list(folders)):
            folder.rmdir()


if sys.platform == "win32":

    @contextlib.contextmanager
    def _turn(directory: Path) -> Iterator[None]:
        """Directories can't be locked there: of two writers at once, one's reference may be lost."""
        directory.mkdir(parents=True, exist_ok=True)
        yield

else:
    import fcntl

    @contextlib.contextmanager
    def _turn(directory: Path) -> Iterator[None]:
        """Lock the directory itself, made if there is none, so that no file of ours is left in it."""
        handle = _locked(directory)
        while handle is None:
            handle = _locked(directory)
        try:
            yield
        finally:
            os.close(handle)

    def _locked(directory: Path) -> int | None:
        """A handle of the locked directory, None when it was removed by whoever had the turn before."""
        with disk_errors(directory, PLACE):
            directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if directory.exists() and os.path.samestat(os.fstat(handle), directory.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None


def _check_kind(directory: Path) -> None:
    marker = directory / LAYOUT_FILE
    if marker.is_file():
        version = parse_object(marker.read_bytes(), str(marker)).get("imageLayoutVersion")
        if version != "1.0.0":
            raise UsageError(f"an image layout of a version that is not known here: {version!r}", where=str(directory))
    elif any(path.name not in {"blobs", INDEX_FILE} and not _is_temporary(path.name) for path in directory.iterdir()):
        raise UsageError(
            "the directory has files in it but is not an image layout",
            where=str(directory),
            fix="Name an empty or a new directory.",
        )


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if _is_temporary(path.name):
            path.unlink(missing_ok=True)


def _is_temporary(name: str) -> bool:
    """Whether this is a name of `atomic_file` for a file of a layout."""
    target, _, rest = name.removeprefix(".").rpartition(".")
    return name.startswith(".") and bool(rest) and (_is_blob(target) or target in {LAYOUT_FILE, INDEX_FILE})


def _is_blob(name: str) -> bool:
    try:
        return bool(Digest(name))
    except ValueError:
        return False


def _folder(directory: Path) -> Path:
    return directory / "blobs" / "sha256"


@contextlib.contextmanager
def _all_or_none(directory: Path, blobs: Iterable[Blob]) -> Iterator[None]:
    """Write blobs, and the layout's file if there is none; all that is new goes when that, or what follows, fails."""
    wanted = list(blobs)
    paths = [directory / blob_path(blob.sha256) for blob in wanted]
    added = [path for path in paths if not path.exists()]
    try:
        write_blobs(wanted, paths)
        if not (directory / LAYOUT_FILE).exists():
            added.append(directory / LAYOUT_FILE)
            atomic_write(directory / LAYOUT_FILE, LAYOUT)
        yield
    except BaseException:
        for path in added:
            path.unlink(missing_ok=True)
        raise


def _missing(directory: Path, blobs: Sequence[Blob]) -> list[Blob]:
    """The blobs that aren't there yet, in their order; hashing needs no interpreter, so there are several readers."""
    with ThreadPoolExecutor(_READERS, "layout") as pool:
        there = pool.map(lambda blob: _is_there(directory / blob_path(blob.sha256), blob), blobs)
        return [blob for blob, found in zip(blobs, there, strict=True) if not found]


def _is_there(path: Path, blob: Blob) -> bool:
    """Whether the blob is there already, and whole."""
    try:
        return path.stat().st_size == blob.size and Digest.of_file(path) == blob.sha256
    except FileNotFoundError:
        return False


def _entries(directory: Path) -> list[_Entry]:
    """The entries of the index, with everything that others wrote into them."""
    path = directory / INDEX_FILE
    return _listed(path.read_bytes(), str(path)) if path.exists() else []


def _listed(data: bytes, where: str = INDEX_FILE) -> list[_Entry]:
    parse_index(data, where)
    return list(parse_object(data, where)["manifests"])


def _merged(old: Iterable[_Entry], new: Sequence[_Entry]) -> list[_Entry]:
    """Old entries and new ones, in an order that does not tell when each was added.

    A new name takes the place of an equal one, and any name that of no name for the same image.
    """
    names = {_name(entry) for entry in new} - {""}
    kept = [entry for entry in old if _name(entry) not in names]
    named = {entry["digest"] for entry in (*kept, *new) if _name(entry)}
    unnamed = {entry["digest"]: entry for entry in (*kept, *new) if not _name(entry) and entry["digest"] not in named}
    every = [*(entry for entry in (*kept, *new) if _name(entry)), *unnamed.values()]
    return sorted(every, key=lambda entry: (_name(entry), entry["digest"]))


def _name(entry: _Entry) -> str:
    return str((entry.get("annotations") or {}).get(REF_NAME, ""))


def _index_bytes(index: Sequence[_Entry]) -> bytes:
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": index})


def _reachable(directory: Path, index: Iterable[_Entry]) -> set[Digest]:
    """Digests of the blobs that these entries lead to, whatever they are; a digest that isn't sha256 leads nowhere."""
    found: set[Digest] = set()
    waiting = list(index)
    while waiting:
        entry = waiting.pop()
        digest = _digest(entry)
        if digest is None or digest in found:
            continue
        found.add(digest)
        path = directory / blob_path(digest)
        if entry.get("mediaType") in _REFERRING and path.exists():
            waiting += _descriptors(parse_object(path.read_bytes(), str(path)))
    return found


def _digest(entry: _Entry) -> Digest | None:
    try:
        return Digest.parse(str(entry.get("digest")))
    except ValueError:
        return None


def _descriptors(document: _Entry) -> Iterator[_Entry]:
    """Everything in a manifest or index that is a descriptor: `config`, `subject`, `layers`, `manifests`."""
    for value in document.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "digest" in item:
                yield item


def _remove(directory: Path, digests: Iterable[Digest]) -> int:
    freed = 0
    for digest in digests:
        path = directory / blob_path(digest)
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            freed += size
    return freed
