"""Which files of a base its interpreter needs to compile, and a layer's tar reduced to those."""

import contextlib
import posixpath
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from repro.errors import IntegrityError
from repro.oci.folders import split_path
from repro.oci.streams import drain

LIBRARIES = ("lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64")
"""Where loaders look by default (ld.so(8), and what Debian and others add in /etc/ld.so.conf.d)."""
MULTIARCH = re.compile(r"[a-z0-9_]+-linux-gnu[a-z0-9_]*")
"""Debian's directories in them (https://wiki.debian.org/Multiarch/Tuples)."""

_PROGRAMS = ("bin", "usr/bin", "usr/local/bin", "etc/alternatives")
_STDLIB = re.compile(r"python3\.\d+")
_LIBRARY = re.compile(r".+\.so(\..+)?")
_UNUSED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "turtledemo"}
_LARGEST = 64 << 20  # no library that an interpreter needs is larger, while those for GPUs are
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What is taken from a base whose interpreter lies in `<prefix>/bin`; paths are relative to `/`.

    Attributes:
        programs: Directories with interpreters and links to them.
        libraries: Directories with shared libraries, or with a standard library below them.
    """

    programs: frozenset[str]
    libraries: frozenset[str]

    def file(self, path: str) -> bool:
        """Whether a file, or a link in place of one, is taken."""
        folder, _, name = path.rpartition("/")
        if folder in self.programs:
            return name.startswith("python")
        above, _, last = folder.rpartition("/")
        if folder in self.libraries or (above in self.libraries and MULTIARCH.fullmatch(last)):
            return _LIBRARY.fullmatch(name) is not None
        return self._in_stdlib(folder) and (name.endswith(".py") or (last == "lib-dynload" and name.endswith(".so")))

    def folder(self, path: str) -> bool:
        """Whether there may be something below a directory that is taken."""
        places = self.programs | self.libraries
        if not path or path in places or any(place.startswith(f"{path}/") for place in places):
            return True
        above, _, name = path.rpartition("/")
        return bool(above in self.libraries and MULTIARCH.fullmatch(name)) or self._in_stdlib(path)

    def _in_stdlib(self, folder: str) -> bool:
        for library in self.libraries:
            inside = folder.removeprefix(f"{library}/")
            first, _, rest = inside.partition("/")
            if inside != folder and _STDLIB.fullmatch(first):
                return rest.partition("/")[0] not in _UNUSED
        return False


def choice_for(python: PurePosixPath) -> Choice:
    """What the interpreter at this path in a base needs."""
    prefix = python.parent.parent.relative_to("/")
    programs = {*_PROGRAMS, str(prefix / "bin")}
    return Choice(frozenset(programs), frozenset({*LIBRARIES, str(prefix / "lib"), str(prefix / "lib64")}))


@contextlib.contextmanager
def pick(layer: BinaryIO, python: PurePosixPath, scratch: Path, where: str) -> Iterator[BinaryIO]:
    """A layer's tar with only what the interpreter needs, as a file that goes when the block ends.

    Links are made relative, so that they stay inside wherever the layer is unpacked. Whiteouts are kept.

    Raises:
        IntegrityError: The layer is no tar, or a path leads out of it.
    """
    choice = choice_for(python)
    with tempfile.TemporaryFile(dir=scratch) as picked:
        try:
            with tarfile.open(fileobj=layer, mode="r|", bufsize=_BLOCK, encoding="utf-8") as archive:
                _copy(archive, choice, picked)
        except (tarfile.TarError, ValueError, OverflowError) as error:
            raise IntegrityError(f"not a readable tar archive: {error}", where=where) from error
        drain(layer)
        picked.write(b"\0" * (2 * tarfile.BLOCKSIZE))
        picked.seek(0)
        yield picked


def _copy(archive: tarfile.TarFile, choice: Choice, picked: BinaryIO) -> None:
    taken: set[str] = set()
    for member in archive:
        path = "/".join(split_path(member.name))
        if not _wanted(member, path, choice) or (member.islnk() and _plain(member.linkname) not in taken):
            continue
        taken.add(path)
        member.name = path
        member.pax_headers = {}
        if member.isreg():
            member.type = tarfile.REGTYPE  # a sparse file becomes a whole one
        if member.issym() and member.linkname.startswith("/"):
            member.linkname = posixpath.relpath(member.linkname, f"/{posixpath.dirname(path)}")
        picked.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        content = archive.extractfile(member) if member.isreg() else None
        if content is not None:
            shutil.copyfileobj(content, picked, _BLOCK)
            picked.write(b"\0" * (-member.size % tarfile.BLOCKSIZE))


def _wanted(member: tarfile.TarInfo, path: str, choice: Choice) -> bool:
    folder, _, name = path.rpartition("/")
    if name.startswith(".wh."):
        return choice.folder(folder)
    if member.isdir():
        return bool(path) and choice.folder(path)
    if member.issym():
        return choice.folder(path) or choice.file(path)
    return (member.isreg() or member.islnk()) and member.size <= _LARGEST and choice.file(path)


def _plain(name: str) -> str:
    return "/".join(split_path(name))
