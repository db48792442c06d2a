"""Which package brings a library: by the name that Debian's policy gives it, else by the archive's list of files."""

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from repro.debian.index import fetch_file, fetch_release
from repro.debian.sources import Source
from repro.errors import IntegrityError
from repro.http import Session
from repro.progress import Progress
from repro.store.objects import ObjectStore

_SONAME = re.compile(r"(?P<stem>[A-Za-z0-9_.+-]+?)\.so(?:\.(?P<version>[A-Za-z0-9.]+))?")
_LINE = re.compile(rb"^(\S+)[ \t]+(\S+)$", re.MULTILINE)
_BLOCK = 1 << 22


def policy_names(soname: str) -> tuple[str, ...]:
    """The names that a package of a library with this soname would have (Debian policy 8.1), likeliest first.

    `libGL.so.1` is in libgl1, `libglib-2.0.so.0` in libglib-2.0-0 or, as it happens, libglib2.0-0.
    """
    found = _SONAME.fullmatch(soname)
    if found is None:
        return ()
    stem, version = found["stem"].lower().replace("_", "-"), found["version"] or ""
    dash = "-" if version and stem[-1].isdigit() else ""
    return tuple(dict.fromkeys(f"{each}{dash}{version}" for each in (stem, re.sub(r"-(?=\d)", "", stem))))


def find_files(
    names: Iterable[str],
    sources: Sequence[Source],
    architecture: str,
    *,
    sessions: Callable[[], Session],
    cache: ObjectStore,
    progress: Progress,
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Packages that bring files of these names, with the paths, by the archives' Contents indexes.

    Args:
        names: File names without directories.
        sources: From `repro.debian.sources`.
        architecture: Debian's name.
        sessions: Gives each thread its session.
        cache: Where indexes are kept.
        progress: Told of downloads.

    Returns:
        For each name that was found, pairs of path and package, sorted.

    Raises:
        IntegrityError: An index is damaged.
        InfrastructureError: An archive can't be reached.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    wanted = frozenset(names)
    for source in sources:
        release = fetch_release(source, sessions)
        for component in source.components:
            path = f"{component}/Contents-{architecture}"
            fetched = fetch_file(
                source, release, path, sessions=sessions, cache=cache, progress=progress, kinds=(".gz",)
            )
            if fetched is not None:
                for name, place, package in _matches(fetched[0], wanted, f"{source.label} {path}"):
                    found.setdefault(name, set()).add((place, package))
    return {name: tuple(sorted(places)) for name, places in found.items()}


def _matches(path: Path, wanted: frozenset[str], where: str) -> Iterator[tuple[str, str, str]]:
    """Name, path and package of each line about a wanted file. The index is far too long to be kept."""
    pattern = re.compile(rb"/(?:" + b"|".join(re.escape(name.encode()) for name in sorted(wanted)) + rb")[ \t]")
    for block in _lines(path, where):
        if pattern.search(block) is None:
            continue
        for line in _LINE.finditer(block):
            place = line[1].decode("utf-8", "replace")
            name = place.rpartition("/")[2]
            if name in wanted:
                for package in line[2].decode("utf-8", "replace").split(","):
                    yield name, place, package.rpartition("/")[2]


def _lines(path: Path, where: str) -> Iterator[bytes]:
    """Blocks of whole lines."""
    rest = b""
    try:
        with gzip.open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                end = block.rfind(b"\n") + 1
                yield rest + block[:end]
                rest = block[end:]
    except (OSError, EOFError) as error:
        raise IntegrityError(f"an index can't be decompressed: {error}", where=where) from error
    yield rest
