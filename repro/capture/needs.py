"""What the wheels' extension modules need from the operating system: sonames that nothing in the image would have.

Which packages have them is found out in `repro.capture.system`.
"""

import json
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from repro.capture.elf import GLIBC
from repro.debian.base import BaseView, debian_architecture
from repro.debian.elf import read_dynamic
from repro.debian.libraries import loader_folders
from repro.debian.tree import Tree
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.files import atomic_write

_LIBRARY = re.compile(r"[^/]*\.so(?:\.[0-9A-Za-z.]+)?")
_EXTENSION = re.compile(r"([^/.]+)\.(?:(?:cpython|pypy)[^/]*|abi3)\.so")
_DATA = re.compile(r"[^/]+\.data/(?:platlib|purelib)/")
_OWN = re.compile(r"libpython3(?:\.\d+t?)?\.so.*")
_PLUGINS = re.compile(r"(?:^|/)plugins?/")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class WheelAtHand:
    """A wheel that enters the image.

    Attributes:
        package: Normalised project name.
        sha256: Digest of the file, which was checked.
        path: Where it is.
    """

    package: str
    sha256: Digest
    path: Path


@dataclass(frozen=True, slots=True)
class Need:
    """A library that is missing.

    Attributes:
        soname: Its soname.
        users: The files that are linked with it, as `project: path in the wheel`, sorted.
        required: Whether something that the run imported needs it; else it is for parts that the run did without.
    """

    soname: str
    users: tuple[str, ...]
    required: bool


@dataclass(frozen=True, slots=True)
class _Linked:
    """One ELF file of a wheel."""

    package: str
    path: str
    soname: str
    needed: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """What others find it by."""
        return frozenset({self.path.rpartition("/")[2], self.soname} - {""})


def missing_libraries(
    wheels: Sequence[WheelAtHand],
    base: BaseView,
    target: str,
    *,
    imported: Mapping[str, Collection[str]],
    provided: Collection[str] = (),
    cache: Path | None = None,
) -> tuple[Need, ...]:
    """The libraries that neither the wheels, the interpreter, nor the base image bring, ordered by soname.

    A soname in any wheel counts as present: bundled libraries are found by RPATH, and those that wheels of one vendor
    share (nvidia-*) are loaded first by their users.

    Args:
        wheels: All that are installed on the target.
        base: The target's base image.
        target: Platform, such as `linux/arm64`.
        imported: Names of the modules that the run imported, by project.
        provided: Sonames that the packed interpreter brings.
        cache: Directory to remember what wheels hold, or None.

    Raises:
        IntegrityError: A wheel or a library in it is damaged.
    """
    architecture = debian_architecture(target)
    files = [file for wheel in wheels for file in _linked(wheel, architecture, cache)]
    present = {*provided, *_base_names(base, architecture)}.union(*(file.names for file in files))
    required = _required(files, imported)
    users: dict[str, list[_Linked]] = {}
    for file in files:
        for soname in file.needed:
            if soname not in present and not GLIBC.fullmatch(soname) and not _OWN.fullmatch(soname):
                users.setdefault(soname, []).append(file)
    return tuple(
        Need(
            soname,
            tuple(sorted(f"{file.package}: {file.path}" for file in users[soname])),
            any(file in required for file in users[soname]),
        )
        for soname in sorted(users)
    )


def _base_names(base: BaseView, architecture: str) -> set[str]:
    folders = loader_folders(Tree(base), architecture)
    return {name for folder in folders for name in base.names(folder.lstrip("/"))}


def _required(files: Sequence[_Linked], imported: Mapping[str, Collection[str]]) -> frozenset[_Linked]:
    """Imported extension modules, other libraries of imported projects but plugins, and what these are linked with."""
    by_name = {name: file for file in files for name in file.names}
    found: set[_Linked] = set()
    waiting = [file for file in files if _is_used(file, imported.get(file.package, ()))]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [by_name[soname] for soname in file.needed if soname in by_name]
    return frozenset(found)


def _is_used(file: _Linked, modules: Collection[str]) -> bool:
    path = _DATA.sub("", file.path)
    folder, _, name = path.rpartition("/")
    extension = _EXTENSION.fullmatch(name)
    module = ".".join([*folder.split("/"), extension[1] if extension else name.partition(".")[0]]).lstrip(".")
    if module in modules:
        return True
    bundled = folder.partition("/")[0].endswith(".libs")  # only counts when something is linked with it
    return bool(modules) and extension is None and not bundled and not _PLUGINS.search(path)


def _linked(wheel: WheelAtHand, architecture: str, cache: Path | None) -> list[_Linked]:
    note = cache / "elf" / f"{wheel.sha256.hex}-{architecture}.json" if cache else None
    entries = _remembered(note) if note else None
    if entries is None:
        entries = list(_read(wheel, architecture))
        if note:
            atomic_write(note, json.dumps({"format": _FORMAT, "files": entries}).encode())
    return [_Linked(wheel.package, path, soname, tuple(needed)) for path, soname, needed in entries]


def _remembered(note: Path) -> list[tuple[str, str, list[str]]] | None:
    try:
        document = json.loads(note.read_bytes())
        return [(path, soname, needed) for path, soname, needed in document["files"]] if _known(document) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a cache may be lost or damaged at any time


def _known(document: Mapping[str, object]) -> bool:
    return document["format"] == _FORMAT


def _read(wheel: WheelAtHand, architecture: str) -> Iterator[tuple[str, str, list[str]]]:
    try:
        with zipfile.ZipFile(wheel.path) as archive:
            for info in archive.infolist():
                if _LIBRARY.fullmatch(info.filename.rpartition("/")[2]):
                    with archive.open(info) as stream:
                        dynamic = read_dynamic(cast("BinaryIO", stream), f"{wheel.path.name}: {info.filename}")
                    if dynamic is not None and dynamic.runs_on(architecture):
                        yield info.filename, dynamic.soname, list(dynamic.needed)
    except (zipfile.BadZipFile, EOFError) as error:
        raise IntegrityError(f"not a readable wheel: {error}", where=wheel.path.name) from error
