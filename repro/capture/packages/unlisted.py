"""Which files belong to an installed package without a RECORD.

Told by an egg's own bounds, by the list that an old installer or Debian keeps, else by names of top-level packages.
"""

import functools
import os
import posixpath
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.wheel_writer import Member
from repro.capture.records import listed, text_lines

_DPKG = Path("/var/lib/dpkg/info")
_EGG_INFO = "EGG-INFO/"
_SCRIPTS = "scripts/"
_SUFFIXES = (".py", ".so", ".pyd")


@dataclass(frozen=True, slots=True)
class Contents:
    """What becomes a wheel.

    Attributes:
        files: Files below the library directory, by their path there.
        scripts: Contents of scripts that no entry point makes, by name.
        metadata: Texts of the metadata's files, by name; a metadata file by itself is PKG-INFO.
        guessed: Whether the files are told by nothing but their names.
    """

    files: Mapping[str, Member]
    scripts: Mapping[str, bytes] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    guessed: bool = False


def contents_of(distribution: Distribution, interpreter: Interpreter, dpkg: Path = _DPKG) -> Contents:
    """The files of a package; no files at all when nothing tells which they are.

    Args:
        distribution: What is installed.
        interpreter: The environment that it is installed in, whose other packages keep what they list.
        dpkg: Where Debian keeps the lists of its packages' files.
    """
    if distribution.metadata.is_file() and zipfile.is_zipfile(distribution.metadata):
        return _zipped(distribution.metadata)
    told = set(_told(distribution, dpkg))
    own = f"{distribution.metadata.name}/"
    paths = sorted(path for path in told or _below_tops(distribution, interpreter) if not path.startswith(own))
    location = distribution.location
    files = {path: _member(path, location / path) for path in paths if (location / path).is_file()}
    scripts = distribution.metadata / "scripts"
    return Contents(
        files=files,
        scripts={one.name: one.read_bytes() for one in sorted(scripts.glob("*")) if one.is_file()},
        metadata=_texts(distribution.metadata),
        guessed=not told,
    )


def _zipped(egg: Path) -> Contents:
    with zipfile.ZipFile(egg) as archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        contents = {path: archive.read(info) for path, info in members.items() if not _is_litter(path)}
    own = {path.removeprefix(_EGG_INFO): data for path, data in contents.items() if path.startswith(_EGG_INFO)}
    return Contents(
        files={path: Member.of_bytes(path, data) for path, data in contents.items() if not path.startswith(_EGG_INFO)},
        scripts={path.removeprefix(_SCRIPTS): data for path, data in own.items() if path.startswith(_SCRIPTS)},
        metadata={path: data.decode("utf-8", "surrogateescape") for path, data in own.items() if "/" not in path},
    )


def _texts(metadata: Path) -> dict[str, str]:
    files = [one for one in metadata.iterdir() if one.is_file()] if metadata.is_dir() else [metadata]
    texts = {one.name: one.read_text(encoding="utf-8", errors="surrogateescape") for one in files}
    return texts if metadata.is_dir() else {"PKG-INFO": texts[metadata.name]}


def _member(path: str, file: Path) -> Member:
    return Member.of_file(path, file, executable=os.access(file, os.X_OK))


def _told(one: Distribution, dpkg: Path) -> Iterator[str]:
    """Paths relative to the location that are known to be its own; may name files that aren't there."""
    if one.metadata.name == "EGG-INFO":
        yield from _walk(one.location, "")
    else:
        yield from _listed(one)
        yield from _packaged(one, dpkg)


def _listed(one: Distribution) -> Iterator[str]:
    """By RECORD or installed-files.txt, which counts from the metadata's own directory."""
    base = one.location if one.record else one.metadata
    for path, _, _ in listed(one):
        inside = os.path.relpath(os.path.normpath(base / path), one.location).replace(os.sep, "/")
        if not inside.startswith("../") and not _is_litter(inside):
            yield inside


def _packaged(one: Distribution, dpkg: Path) -> Iterator[str]:
    """By the list of the Debian package that holds the metadata."""
    owner = _debian_lists(dpkg).get(str(one.metadata)) if one.location.name == "dist-packages" else None
    prefix = f"{one.location}/"
    lines = text_lines(owner) if owner else []
    yield from (line.removeprefix(prefix) for line in lines if line.startswith(prefix) and not _is_litter(line))


@functools.cache
def _debian_lists(dpkg: Path) -> Mapping[str, Path]:
    """The list that names each metadata directory or file."""
    endings = (".egg-info", ".dist-info")
    return {line: path for path in sorted(dpkg.glob("*.list")) for line in text_lines(path) if line.endswith(endings)}


def _below_tops(one: Distribution, interpreter: Interpreter) -> Iterator[str]:
    """By the names of top-level packages and modules, without what others list and what a namespace has of others."""
    others = _others(one, interpreter)
    spread = text_lines(one.metadata / "namespace_packages.txt")
    sources = text_lines(one.metadata / "SOURCES.txt")
    for top in _tops(one):
        for path in _tree(one.location, top):
            if path not in others and (top not in spread or _is_source(path, sources)):
                yield path


def _tops(one: Distribution) -> list[str]:
    names = [line.strip() for line in text_lines(one.metadata / "top_level.txt")]
    if names:
        return names
    written = one.metadata.name.partition("-")[0].removesuffix(".egg-info")
    guesses = dict.fromkeys([written, written.lower(), one.name, one.name.replace("-", "_")])
    return [name for name in guesses if any(True for _ in _tree(one.location, name))][:1]


def _tree(location: Path, top: str) -> Iterator[str]:
    if (location / top).is_dir():
        yield from _walk(location / top, f"{top}/")
    for file in location.glob(f"{top}.*"):
        if file.name.endswith(_SUFFIXES):
            yield file.name


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    for file in folder.rglob("*"):
        path = f"{prefix}{file.relative_to(folder).as_posix()}"
        if file.is_file() and not _is_litter(path):
            yield path


def _others(one: Distribution, interpreter: Interpreter) -> set[str]:
    neighbours = (other for other in interpreter.distributions if other != one and other.location == one.location)
    return {path for other in neighbours for path in _listed(other)}


def _is_source(path: str, sources: Iterable[str]) -> bool:
    """Whether the source tree that the package was built from has a file; without a list of it every file counts."""
    names = [posixpath.normpath(source) for source in sources]
    return not names or any(name == path or name.endswith(f"/{path}") for name in names)


def _is_litter(path: str) -> bool:
    return path.endswith((".pyc", ".pyo")) or "__pycache__/" in path
