"""Writes a packed Python: its files, the libraries they need, run paths that stay inside, one deterministic tar."""

import io
import posixpath
import tarfile
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from repro.capture.elf import GLIBC, ElfFile, Loader, is_elf, read_elf, set_runpath
from repro.capture.prefix import DEPENDENCIES, LIBRARIES, Installation, Relocation, parents, standard_library
from repro.errors import InfrastructureError
from repro.files import atomic_file, disk_errors
from repro.progress import Task

MTIME = 315532800
"""1980-01-01, the earliest that a zip can say: one time for every file."""

_SCRIPT_MAGIC = b"#!"


@dataclass(frozen=True, slots=True)
class Program:
    """An ELF file to pack.

    Attributes:
        elf: What it needs.
        place: Where it goes.
        uses: Where the libraries go that it needs and that are packed.
    """

    elf: ElfFile
    place: PurePosixPath
    uses: tuple[PurePosixPath, ...]

    @property
    def runpath(self) -> list[str]:
        """Where the packed copy must look: exactly the directories with something that it needs."""
        here = self.place.parent
        return [f"$ORIGIN/{posixpath.relpath(folder, here)}" for folder in sorted({use.parent for use in self.uses})]

    @property
    def changes(self) -> bool:
        """Whether its run path has to be written: it needs a packed library, or it names a laptop's directory."""
        present = (*self.elf.rpath, *self.elf.runpath)
        return bool(self.uses) or any(not entry.startswith(("$ORIGIN", "${ORIGIN}")) for entry in present)


def write_pack(
    installation: Installation, path: Path, home: Path, environ: Mapping[str, str], task: Task
) -> tuple[int, ...]:
    """Write the tar and return the lowest glibc that its programs run on.

    Raises:
        InfrastructureError: patchelf is missing, a library that the program needs can't be found, or the disk refuses.
    """
    files = standard_library(installation)
    programs = _programs(installation, files, Loader(environ))
    relocation = Relocation(installation, home)
    places = {**files, **{program.place: program.elf.path for program in programs}}
    by_place = {program.place: program for program in programs}
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, atomic_file(path) as stream:
        archive = _Archive(stream)
        links = _links(installation)
        for place in sorted({*places, *links, *parents([*places, *links])}, key=lambda place: str(place).encode()):
            if place in links:
                archive.link(place, links[place])
            elif place not in places:
                archive.directory(place)
            else:
                source = places[place]
                data = _content(source, by_place.get(place), relocation, Path(scratch))
                archive.file(place, data, executable=place in by_place or data.startswith(_SCRIPT_MAGIC))
                task.advance(detail=place.name)
        archive.close()
    return max(program.elf.glibc for program in programs)


def _links(installation: Installation) -> dict[PurePosixPath, str]:
    program = installation.packed_program
    return {program.with_name(name): program.name for name in ("python", "python3")}


def _content(source: Path, program: Program | None, relocation: Relocation, scratch: Path) -> bytes:
    data = source.read_bytes()
    if program is None:
        return relocation.text(source.name, data)
    if program.changes:
        copy = scratch / program.place.name
        with disk_errors(copy):
            copy.write_bytes(data)
        copy.chmod(0o755)
        set_runpath(copy, program.runpath)
        data = copy.read_bytes()
        copy.unlink()
    return relocation.program(data)


def _programs(installation: Installation, files: Mapping[PurePosixPath, Path], loader: Loader) -> list[Program]:
    """The executable, the extension modules, and every library that one of them needs, each once."""
    executable = read_elf(installation.program)
    roots = [(installation.packed_program, executable)]
    roots += [(place, read_elf(path)) for place, path in files.items() if _may_be_elf(place) and is_elf(path)]
    found = _Closure(installation, loader)
    for place, elf in roots:
        found.add(place, (elf,) if elf is executable else (elf, executable))
    if found.missing_for_start:
        raise InfrastructureError(
            "the interpreter needs libraries that can't be found",
            where=str(installation.program),
            problems=found.missing_for_start,
        )
    return found.programs


def _may_be_elf(place: PurePosixPath) -> bool:
    return place.suffix == ".so" or ".so." in place.name


class _Closure:
    """Follows DT_NEEDED to its end, breadth first as the loader does; the first library of a name serves all.

    A module whose library is missing is packed as it is: it can't be imported on the laptop either.
    """

    def __init__(self, installation: Installation, loader: Loader) -> None:
        self._installation = installation
        self._loader = loader
        self._libraries: dict[str, PurePosixPath] = {}
        self.programs: list[Program] = []
        self.missing_for_start: list[str] = []

    def add(self, place: PurePosixPath, chain: tuple[ElfFile, ...]) -> None:
        """Add a file and what it needs. `chain` is as in `Loader.find`."""
        waiting = deque([(place, chain)])
        while waiting:
            place, chain = waiting.popleft()
            uses = []
            for soname in chain[0].needed:
                if GLIBC.fullmatch(soname):
                    continue
                name = PurePosixPath(soname).name
                if name not in self._libraries:
                    library = self._loader.find(soname, chain)
                    if library is None:
                        self._note_missing(soname, place, chain[0])
                        continue
                    self._libraries[name] = _library_place(name)
                    waiting.append((self._libraries[name], (library, *chain)))
                uses.append(self._libraries[name])
            self.programs.append(Program(chain[0], place, tuple(uses)))

    def _note_missing(self, soname: str, place: PurePosixPath, user: ElfFile) -> None:
        if place == self._installation.packed_program or place.parent == LIBRARIES:
            self.missing_for_start.append(f"{soname}, for {user.path}")


def _library_place(name: str) -> PurePosixPath:
    return (LIBRARIES if name.startswith("libpython") else DEPENDENCIES) / name


class _Archive:
    """A tar in the USTAR format (PAX headers only for names that it can't hold) without owner, time or chance."""

    def __init__(self, stream: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see close

    def directory(self, place: PurePosixPath) -> None:
        self._add(place, tarfile.DIRTYPE, 0o755)

    def link(self, place: PurePosixPath, target: str) -> None:
        self._add(place, tarfile.SYMTYPE, 0o777, target=target)

    def file(self, place: PurePosixPath, data: bytes, *, executable: bool) -> None:
        self._add(place, tarfile.REGTYPE, 0o755 if executable else 0o644, data=data)

    def close(self) -> None:
        self._tar.close()

    def _add(self, place: PurePosixPath, kind: bytes, mode: int, *, target: str = "", data: bytes = b"") -> None:
        member = tarfile.TarInfo(str(place.relative_to("/")))
        member.type, member.mode, member.linkname = kind, mode, target
        member.size, member.mtime = len(data), MTIME
        self._tar.addfile(member, io.BytesIO(data))
