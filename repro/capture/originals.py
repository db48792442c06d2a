"""The published wheel of an installed package, to tell what was changed in it by hand."""

import difflib
import zipfile
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from repro.capture.model import Distribution
from repro.capture.packages.index import IndexClient, IndexFile
from repro.digest import Digest
from repro.errors import ReproError
from repro.progress import Progress
from repro.store import ObjectStore, artifact_cache
from repro.store.fetch import Wanted, fetch_all

_LARGEST = 64 << 20
_MOST_LINES = 12
_LIBRARIES = ("purelib", "platlib")


class Original:
    """A wheel as it was published.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def content(self, path: str) -> bytes | None:
        """What a file had in it, by its path below the library directory; None when the wheel has no such file."""
        member = self._members.get(path)
        if member is None:
            return None
        with zipfile.ZipFile(self._path) as archive:
            return archive.read(member)

    @cached_property
    def _members(self) -> dict[str, str]:
        with zipfile.ZipFile(self._path) as archive:
            return {_installed(name): name for name in archive.namelist()}


def _installed(name: str) -> str:
    first, _, rest = name.partition("/")
    scheme, _, inside = rest.partition("/")
    return inside if first.endswith(".data") and scheme in _LIBRARIES else name


def published_in(
    client: IndexClient, progress: Progress, cache: ObjectStore | None = None
) -> Callable[[Distribution], Original | None]:
    """A function that gives the wheel a package was installed from, or None: no index has it, or it is huge.

    Args:
        client: The package indexes.
        progress: Told of downloads.
        cache: Keeps wheels; the user's cache when None.
    """
    store = cache or artifact_cache()

    def find(distribution: Distribution) -> Original | None:
        if distribution.direct_url is not None or not distribution.tags:
            return None
        try:
            file = _same(distribution, client.files(distribution.name, distribution.version))
            return None if file is None else _fetched(client.complete([file])[file], client, store, progress)
        except ReproError:  # what differs is only shown for convenience
            return None

    return find


def _same(distribution: Distribution, files: Iterable[IndexFile]) -> IndexFile | None:
    """The file whose tags are those of the installed WHEEL."""
    installed = frozenset(tag for line in distribution.tags for tag in parse_tag(line))
    return next((file for file in files if file.name.endswith(".whl") and _tags(file.name) == installed), None)


def _tags(name: str) -> object:
    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return None


def _fetched(file: IndexFile, client: IndexClient, cache: ObjectStore, progress: Progress) -> Original | None:
    digest, size = file.sha256, file.size
    if digest is None or size is None or (size > _LARGEST and not cache.has(digest)):
        return None
    wanted = Wanted(file.name, digest, size, file.url)
    found: dict[Digest, Path] = fetch_all(
        [wanted], stores=[], cache=cache, sessions=client.file_sessions, progress=progress
    )
    return Original(found[digest])


def difference(label: str, folder: Path, paths: Iterable[str], wheel: Original) -> str:
    """How installed files differ from published ones: the first lines of a unified diff of each, sizes of binaries."""
    return "\n".join(line for path in paths for line in _diff(label, path, wheel.content(path), folder / path))


def _diff(label: str, path: str, before: bytes | None, file: Path) -> list[str]:
    after = file.read_bytes()
    if before is None:
        return [f"{label}: {path} is not in the published wheel"]
    try:
        old, new = before.decode().splitlines(), after.decode().splitlines()
    except UnicodeDecodeError:
        return [f"{label}: {path}, {len(before)} bytes as published, {len(after)} bytes installed"]
    lines = list(difflib.unified_diff(old, new, f"{label}: {path} as published", "installed", lineterm="", n=1))
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… and {more} more lines"]
