"""Reading a .deb (deb(5)): what it says of itself, its scripts, and its files, all checked. Nothing is placed here."""

import io
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.debian.ar import Member, deb_members
from repro.debian.control import Fields, paragraphs
from repro.debian.tarball import TarFile, tar_files
from repro.debian.unpack import decompressed
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.files import atomic_write
from repro.lock import SystemPackage
from repro.store.objects import ObjectStore

SCRIPTS = ("preinst", "postinst", "config")
"""The maintainer scripts that take part in a fresh installation."""

_CONTROL_LIMIT = 64 << 20
_FLOOR = 64 << 20
_GENEROUS = 4
_NOTE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Deb:
    """One package, read and checked.

    Attributes:
        label: File name for messages.
        control: The control file as it is.
        fields: The same, parsed.
        scripts: Those of `SCRIPTS` that it has.
        triggers: Its triggers file (deb-triggers(5)), or nothing.
        md5sums: Its md5sums file, or nothing.
        files: What it unpacks, in the archive's order.
    """

    label: str
    control: bytes
    fields: Fields
    scripts: Mapping[str, bytes]
    triggers: str
    md5sums: bytes
    files: tuple[TarFile, ...]

    @property
    def package(self) -> str:
        """Its name."""
        return self.fields["package"]


def read_deb(package: SystemPackage, path: Path, cache: ObjectStore) -> Deb:
    """Read a .deb whose digest was checked before.

    Args:
        package: Which one it has to be.
        path: The file.
        cache: Where its plain data archive is kept; the bodies of its files are ranges of that.

    Raises:
        IntegrityError: It is damaged, another package, or holds what no package should.
        InfrastructureError: The disk refuses.
    """
    where = f"{package.name}_{package.version}_{package.architecture}.deb"
    control_member, data_member = deb_members(path, where)
    control = dict(_small_files(path, control_member, where))
    text = control.get("control", b"")
    fields = next(paragraphs(text.decode("utf-8", "replace"), where), {})
    _check_identity(fields, package, where)
    limit = _FLOOR + _GENEROUS * 1024 * _kibibytes(fields.get("installed-size", "0"))
    files = tuple(tar_files(_plain_archive(path, package.sha256, data_member, limit, cache, where), where))
    md5sums = control.get("md5sums", b"")
    _check_md5sums(md5sums, files, where)
    return Deb(
        label=where,
        control=text,
        fields=fields,
        scripts={name: control[name] for name in SCRIPTS if name in control},
        triggers=control.get("triggers", b"").decode("utf-8", "replace"),
        md5sums=md5sums,
        files=files,
    )


def read_control(path: Path, where: str) -> tuple[Fields, Mapping[str, bytes]]:
    """Only what a package says of itself: the fields of its control file, and every file beside it.

    Raises IntegrityError when it is damaged.
    """
    control = dict(_small_files(path, deb_members(path, where)[0], where))
    return next(paragraphs(control.get("control", b"").decode("utf-8", "replace"), where), {}), control


def _small_files(path: Path, member: Member, where: str) -> Iterator[tuple[str, bytes]]:
    plain = b"".join(decompressed(path, member, _CONTROL_LIMIT, where))
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for item in archive:
                stream = archive.extractfile(item) if item.isreg() else None
                if stream is not None:
                    yield posixpath.normpath(item.name), stream.read()
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise IntegrityError(f"its control archive is damaged: {error}", where=where) from error


def _check_identity(fields: Fields, package: SystemPackage, where: str) -> None:
    found = tuple(fields.get(name, "") for name in ("package", "version", "architecture"))
    wanted = (package.name, package.version, package.architecture)
    if found != wanted:
        raise IntegrityError(f"this is {' '.join(found).strip() or 'no package'}, not {' '.join(wanted)}", where=where)


def _kibibytes(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _plain_archive(  # noqa: PLR0917 - one step of read_deb
    path: Path, deb: Digest, member: Member, limit: int, cache: ObjectStore, where: str
) -> Path:
    """The plain data archive in the cache; a note beside the cache says which object it is."""
    note = cache.directory.parent / "debian" / f"{deb.hex}.json"
    known = _noted(note)
    if known is not None and cache.has(known):
        try:
            return cache.checked_path(known)
        except IntegrityError:
            cache.discard(known)
    with cache.incoming() as incoming:
        for block in decompressed(path, member, limit, where):
            incoming.write(block)
    atomic_write(note, json.dumps({"format": _NOTE_FORMAT, "data": str(incoming.digest)}).encode())
    return cache.path(incoming.digest)


def _noted(note: Path) -> Digest | None:
    try:
        document = json.loads(note.read_bytes())
        return Digest.parse(document["data"]) if document["format"] == _NOTE_FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a cache may be lost or damaged at any time


def _check_md5sums(text: bytes, files: tuple[TarFile, ...], where: str) -> None:
    found = {file.path: file.md5 for file in files if file.body is not None}
    problems = []
    for line in text.decode("utf-8", "surrogateescape").splitlines():
        digest, _, name = line.partition("  ")
        path = name.removeprefix("./")
        if path not in found:
            problems.append(f"/{path} is listed in its md5sums but missing")
        elif found[path] != digest:
            problems.append(f"/{path} has not the content that its md5sums states")
    if problems:
        raise IntegrityError("the package contradicts itself", where=where, problems=problems)
