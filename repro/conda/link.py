"""A conda package as the entries of a layer, as if conda had linked it. Contents stay where they are until read."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repro.conda.archive import PackageArchive, open_archive
from repro.conda.contents import Contents
from repro.conda.meta import LinkedPath, record_name, render_record
from repro.conda.paths import PackagePath
from repro.conda.programs import parse_entry_point
from repro.conda.scripts import EARLY
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import CondaPackage
from repro.oci.bodies import FileBody, Inline
from repro.oci.entry import Body, Entry
from repro.programs import render_program

_FILE, _PROGRAM = 0o644, 0o755
_MINOR = re.compile(r"lib/python(\d+\.\d+)t?/site-packages")
_PLACES = ("site-packages/", "python-scripts/")
_SKIP = "Name {} in skip-scripts under [conda] in repro.toml, if nothing needs what they do, and capture again."


def link_entries(
    archive: Path,
    package: CondaPackage,
    *,
    prefix: PurePosixPath,
    site_packages: str | None,
    patched: Mapping[Digest, Path],
) -> list[Entry]:
    """The paths of a linked package and its record in `conda-meta`, by path; most directories are left to the layer.

    They are what conda and rattler leave, except that `__pycache__` is left out, modes are 0644 or 0755, programs of
    entry points and records have texts of their own, and scripts of packages aren't run. Hard links stay such.

    Args:
        archive: The package, whose own digest the caller has checked.
        package: What the lock says of it.
        prefix: Where the environment is in the image.
        site_packages: Where its Python looks for packages, relative to the prefix; None where conda brings no Python.
        patched: Local files by digest, with the contents of `package.patched`.

    Raises:
        IntegrityError: It is another package than the lock says, or not one that may be linked; every problem is named.
            Bodies raise it when a file's content isn't what the package says.
        UsageError: It has a script, of which the lock doesn't say what happens with it, or needs a Python.
        InfrastructureError: It can't be read, or the disk refuses.
    """
    opened = open_archive(archive, package.file)
    _check_identity(opened, package)
    _check_scripts(opened, package)
    linker = _Linker(opened, package, prefix, site_packages)
    linked = [*linker.files(patched), *linker.programs()]
    return sorted(linker.recorded(linked), key=lambda entry: entry.path)


@dataclass(frozen=True, slots=True)
class _Linked:
    """What goes to one path below the prefix."""

    record: LinkedPath
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Linker:
    archive: PackageArchive
    package: CondaPackage
    prefix: PurePosixPath
    site_packages: str | None

    def files(self, patched: Mapping[Digest, Path]) -> Iterator[_Linked]:
        """Everything that the package brings and that is wanted."""
        wanted = self._wanted()
        edited = {one.path: one for one in self.package.patched}
        unknown = sorted(edited.keys() - wanted.keys())
        if unknown:
            raise IntegrityError(
                "the lock has files of it that were edited by hand, and it brings no such files",
                where=self.package.label,
                problems=unknown,
                fix="Capture again.",
            )
        with Contents(self.prefix) as contents:
            first: dict[str, str] = {}
            for path, source in wanted.items():
                patch = edited.get(path)
                if patch is not None:
                    label = f"{self.package.label}: {path}"
                    body = FileBody(patched[patch.sha256], patch.size, patch.sha256, label)
                    yield self._file(path, source, body, executable=patch.executable)
                else:
                    yield self._linked(path, source, contents, first)

    def programs(self) -> Iterator[_Linked]:
        """Those of a noarch Python package's entry points."""
        without = _left_out(self.package.without)
        for name, data in self._programs().items():
            path = f"bin/{name}"
            if not without(path):
                body = Inline(data)
                record = LinkedPath(path, "unix_python_entry_point", body.sha256, body.size)
                yield _Linked(record, self._entry(path, "file", _PROGRAM, body))

    def recorded(self, linked: list[_Linked]) -> Iterator[Entry]:
        """The entries, with that of the record."""
        yield from (one.entry for one in linked)
        text = render_record(self.package, self.archive.index, (one.record for one in linked))
        yield self._entry(record_name(self.package), "file", _FILE, Inline(text))

    def _wanted(self) -> dict[str, PackagePath]:
        """What is linked, by its path below the prefix, in an order that is the same for all."""
        without = _left_out(self.package.without)
        programs = {f"bin/{name}" for name in self._programs()}
        found: dict[str, PackagePath] = {}
        for source in sorted(self.archive.paths, key=lambda one: one.path):
            path = self._place(source.path)
            bytecode = path.endswith(".pyc") and "/__pycache__/" in f"/{path}"
            if bytecode or path in programs or without(path):
                continue
            other = found.setdefault(path, source)
            if other is not source:
                raise IntegrityError(
                    f"{source.path} and {other.path} go to the same place, {path}", where=self.archive.label
                )
        return found

    def _place(self, path: str) -> str:
        """Where a path of the package is below the prefix."""
        if self.archive.noarch != "python" or not path.startswith(_PLACES):
            return path
        above, _, rest = path.partition("/")
        return f"{self._python()[1] if above == 'site-packages' else 'bin'}/{rest}"

    def _programs(self) -> dict[str, bytes]:
        if self.archive.noarch != "python" or not self.archive.entry_points:
            return {}
        interpreter = str(self.prefix / "bin" / f"python{self._python()[0]}")
        points = [parse_entry_point(text, self.archive.label) for text in self.archive.entry_points]
        return {point.name: render_program(point, interpreter) for point in points}

    def _python(self) -> tuple[str, str]:
        """X.Y of the environment's Python, and where it looks for packages."""
        found = _MINOR.fullmatch(self.site_packages or "")
        if found is None or self.site_packages is None:
            raise UsageError(
                f"{self.package.label} is for a Python that conda installed, and the environment has none",
                where="repro.lock: conda",
                fix="Install python with conda too, or this package with pip, and capture again.",
            )
        return found[1], self.site_packages

    def _linked(self, path: str, source: PackagePath, contents: Contents, first: dict[str, str]) -> _Linked:
        member = self.archive.members.get(source.path)
        if member is None or member.kind == "directory":
            return _Linked(LinkedPath(path, "directory", None, None, source), self._entry(path, "directory", _PROGRAM))
        if member.kind == "symlink":
            self._check_link(path, member.target)
            text = member.target.encode("utf-8", "surrogateescape")
            record = LinkedPath(path, "softlink", Digest.of(text), len(text), source)
            return _Linked(record, self._entry(path, "symlink", 0o777, target=member.target))
        body = contents.of(source, member)
        made = self._file(path, source, body, executable=member.executable)
        other = first.setdefault(member.same_as or member.path, path) if source.placeholder is None else path
        return made if other == path else replace(made, entry=self._hard_link(made.entry, other))

    def _hard_link(self, entry: Entry, other: str) -> Entry:
        return replace(entry, kind="hardlink", body=None, target=self._path(other))

    def _file(self, path: str, source: PackagePath, body: Body, *, executable: bool) -> _Linked:
        record = LinkedPath(path, "hardlink", body.sha256, body.size, source)
        return _Linked(record, self._entry(path, "file", _PROGRAM if executable else _FILE, body))

    def _entry(self, path: str, kind: str, mode: int, body: Body | None = None, target: str = "") -> Entry:
        return Entry(self._path(path), kind, mode, body, target, origin=self.package.file)  # type: ignore[arg-type]

    def _path(self, path: str) -> str:
        return f"{self.prefix.relative_to('/')}/{path}"

    def _check_link(self, path: str, target: str) -> None:
        """Refuse a link that climbs above the root; others may lead out of the prefix, as some packages' do."""
        depth = 0 if target.startswith("/") else self._path(path).count("/")
        for part in target.split("/"):
            depth += -1 if part == ".." else part not in {"", "."}
            if depth < 0:
                raise IntegrityError(f"the link {path} leads out of the image: {target!r}", where=self.archive.label)


def _left_out(without: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a path isn't linked."""
    paths = frozenset(without)
    folders = tuple(path for path in without if path.endswith("/"))
    return lambda path: path in paths or path.startswith(folders)


def _check_identity(archive: PackageArchive, package: CondaPackage) -> None:
    found = tuple(str(archive.index.get(name)) for name in ("name", "version", "build"))
    if found != (package.name, package.version, package.build):
        raise IntegrityError(
            f"this is {'='.join(found)}, not {package.label}", where=package.file, fix="Capture again."
        )


def _check_scripts(archive: PackageArchive, package: CondaPackage) -> None:
    if archive.scripts and package.scripts is None:
        raise UsageError(
            f"{package.label} has scripts of its own, and the lock doesn't say what happens with them",
            where="repro.lock: conda",
            problems=archive.scripts,
            fix=_SKIP.format(package.name),
        )
    early = [path for path in archive.scripts if path.endswith(EARLY)]
    if early and package.scripts == "run":
        raise UsageError(
            f"{package.label} has a script that runs before it is linked, which can't be done while an image is built",
            where="repro.lock: conda",
            problems=early,
            fix=_SKIP.format(package.name),
        )
