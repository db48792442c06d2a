"""A wheel as the entries of a layer, as if it were installed. Contents stay in the zip until they are read."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro.errors import IntegrityError
from repro.oci.bodies import Inline
from repro.oci.entry import Body, Entry
from repro.programs import render_program
from repro_oci.launchers import PYTHON, is_generated, with_interpreter
from repro_oci.records import Row, render_record
from repro_oci.wheel_archive import WheelArchive, refusal
from repro_oci.wheel_contents import WheelContents, read_contents
from repro_oci.wheel_member import ZipMember, begins_with, read_whole
from repro_oci.wheel_paths import Places, places

_INSTALLER = b"repro\n"
_REPLACED = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")
"""Files of a `.dist-info` that only installers write: a wheel's own are left out."""
_FILE, _PROGRAM = 0o644, 0o755


@dataclass(frozen=True, slots=True)
class _File:
    """What goes to one path; `member` is the name of what it was made from, where that is a member."""

    body: Body
    mode: int = _FILE
    member: str = ""


def wheel_entries(
    path: Path,
    prefix: PurePosixPath,
    environment: PurePosixPath,
    python_minor: str,
    *,
    requested: bool = False,
    name: str | None = None,
) -> list[Entry]:
    """The files of an installed wheel, sorted by path; directories are left to the layer.

    The tree is that of `pip install --no-compile`, except that `__pycache__` and direct_url.json are left out, scripts
    are always executable, modes are 0644 or 0755, and INSTALLER, RECORD and launchers have texts of their own.
    RECORD's signatures are kept, as pip keeps them, although they sign the wheel's RECORD. Bodies can be read again and
    again; one handle serves them all, opened when the first is read and closed with the last of them.

    Args:
        path: The wheel, whose own digest the caller has checked.
        prefix: `environment`, or any other directory that takes only libraries.
        environment: The virtual environment whose `bin/python` runs programs.
        python_minor: `3.11`.
        requested: Whether a person asked for the package, rather than another package (PEP 376, REQUESTED).
        name: The wheel's file name, where `path` has another.

    Raises:
        IntegrityError: It is no well-formed wheel, or not one that may be installed; every problem is named. Bodies
            raise it when a member's content isn't what RECORD says.
        InfrastructureError: It can't be read.
    """
    archive = WheelArchive(path, name or path.name)
    try:
        contents = read_contents(archive)
        where = places(prefix, environment, python_minor, contents.distribution)
        files = _files(contents, where, str(environment / "bin" / "python"), requested=requested)
    finally:
        archive.close()
    return [Entry(at, "file", file.mode, file.body, origin=archive.name) for at, file in sorted(files.items())]


def _files(contents: WheelContents, where: Places, interpreter: str, *, requested: bool) -> dict[str, _File]:
    """Everything that is installed, by path. Raises IntegrityError with all the problems when there are any."""
    problems = contents.problems
    info = f"{where.library}/{contents.dist_info}"
    generated = _launchers(contents, where, interpreter) | {f"{info}/INSTALLER": _File(Inline(_INSTALLER))}
    if requested:
        generated[f"{info}/REQUESTED"] = _File(Inline(b""))
    left_out = generated.keys() | {f"{info}/{name}" for name in _REPLACED}
    files = _members(contents, where, interpreter, left_out, problems) | generated
    problems += where.problems([*files, f"{info}/RECORD"])
    if problems:
        raise refusal(contents.archive, problems)
    return files | {f"{info}/RECORD": _File(Inline(_record(files, where, f"{info}/RECORD")))}


def _launchers(contents: WheelContents, where: Places, interpreter: str) -> dict[str, _File]:
    directory = where.schemes.get("scripts")
    if directory is None:
        return {}
    return {
        f"{directory}/{launcher.name}": _File(Inline(render_program(launcher, interpreter)), _PROGRAM)
        for launcher in contents.launchers
    }


def _members(
    contents: WheelContents, where: Places, interpreter: str, left_out: AbstractSet[str], problems: list[str]
) -> dict[str, _File]:
    found: dict[str, _File] = {}
    for name, kind, path in _located(contents, where, problems):
        if path in left_out:
            continue
        try:
            file = _script(contents.files[name], interpreter) if kind == "scripts" else _plain(contents.files[name])
        except IntegrityError as error:
            problems.append(f"{name!r} {error.what}")
            continue
        other = found.setdefault(path, file)
        if other is not file:
            problems.append(f"{name!r} goes to the same place as {other.member!r}")
    return found


def _located(contents: WheelContents, where: Places, problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name, kind and path of each member that is wanted. Bytecode isn't: it is compiled by the image's own Python."""
    programs = {launcher.name for launcher in contents.launchers}
    for name in contents.files:
        if "/__pycache__/" in f"/{name}":
            continue
        try:
            kind, path = where.locate(name, contents.data)
        except ValueError as error:
            problems.append(f"{name!r} {error}")
            continue
        generated = kind == "scripts" and is_generated(name.rpartition("/")[2], programs)
        if path is not None and not generated:
            yield name, kind, path


def _plain(body: ZipMember) -> _File:
    return _File(body, _PROGRAM if body.member.executable else _FILE, body.member.name)


def _script(body: ZipMember, interpreter: str) -> _File:
    """A script, which is always a program (binary distribution format), with the interpreter that it asks for."""
    if not begins_with(body, PYTHON):
        return _File(body, _PROGRAM, body.member.name)
    return _File(Inline(with_interpreter(read_whole(body), interpreter)), _PROGRAM, body.member.name)


def _record(files: Mapping[str, _File], where: Places, record: str) -> bytes:
    rows = [Row(where.recorded(path), file.body.sha256, file.body.size) for path, file in files.items()]
    return render_record([*rows, Row(where.recorded(record), None, None)])
