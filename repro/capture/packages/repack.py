"""Installed files → the wheel that installs them again: for packages whose file is on no index.

The inverse of installation as the PyPA specification "Binary distribution format" describes it; what an installer adds
(launchers, bytecode, INSTALLER, direct_url.json) is left out, because the next installer adds its own.
"""

import configparser
import csv
import hashlib
import io
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.wheel_writer import (
    INSTALL_TRACES,
    Member,
    record_digest,
    wheel_file_name,
    wheel_metadata,
    write_wheel,
)
from repro.errors import CaptureError

_TRAMPOLINE = re.compile(rb"\A#!/bin/sh\n'''exec' [\"']?([^\"'\n]+?)[\"']? \"\$0\" \"\$@\"\n' '''\n")
_SHEBANG = re.compile(rb"\A#!\s*\"?([^\n\"]+?)\"?[ \t]*\r?\n")
_INTERPRETER = re.compile(r"(python|pypy)w?[\d.]*(\.exe)?")
_HEADERS = re.compile(r"include/(?:site/)?(?:python|pypy)[^/]*/([^/]+)/(.+)")
_PEEK = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the scheme of an environment puts the parts of a wheel; all absolute and normalised.

    Attributes:
        location: The library directory that holds the distribution.
        others: The other library directory (purelib or platlib) by its wheel name, when there are two.
        data: The root that data files, scripts and headers are below.
        scripts: The directory of scripts.
        interpreters: Directories whose interpreter an installer may have put into a script's first line.
    """

    location: str
    others: Mapping[str, str]
    data: str
    scripts: str
    interpreters: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of an installed RECORD."""

    path: str
    digest: str


def repack(
    distribution: Distribution,
    interpreter: Interpreter,
    destination: Path,
    warn: Callable[[str], None] | None = None,
) -> Path:
    """Make a wheel of an installed distribution. The same files give the same bytes.

    Args:
        distribution: What is installed, with a RECORD.
        interpreter: The environment that it is installed in.
        destination: Directory for the wheel.
        warn: Called with a sentence when files differ from RECORD; they are packed as they are on disk.

    Returns:
        Path of the wheel in `destination`.

    Raises:
        CaptureError: Its files can't be told reliably (no RECORD, no WHEEL), are missing, or lie outside the
            environment.
    """
    _check_packable(distribution)
    layout = _layout(distribution, interpreter)
    entries = {os.path.normpath(posixpath.join(layout.location, one.path)): one for one in _entries(distribution)}
    members = dict(_members(distribution, layout, entries))
    missing = [entries[path].path for path in members if not Path(path).is_file()]
    if missing:
        raise _unpackable(distribution, "files that its RECORD lists are missing", missing)
    dist_info = distribution.metadata.name
    wheel = [_member(layout, Path(path), inside) for path, inside in members.items()]
    wheel.append(Member.of_bytes(f"{dist_info}/WHEEL", wheel_metadata(distribution.tags, purelib=distribution.purelib)))
    target = destination / wheel_file_name(distribution.name, distribution.version, distribution.tags)
    written = write_wheel(target, dist_info, wheel)
    edited = sorted(
        entries[path].path
        for path, inside in members.items()
        if entries[path].digest != written[inside] and _edited(Path(path), entries[path])
    )
    if edited and warn:
        warn(
            f"{distribution.name} {distribution.version}: files were changed after installation and are locked as "
            f"they are on disk: {', '.join(edited)}"
        )
    return target


def _check_packable(distribution: Distribution) -> None:
    if distribution.metadata.suffix != ".dist-info":
        raise _unpackable(distribution, "was installed by an old setup.py (egg-info), which records no wheel")
    if not distribution.record:
        raise _unpackable(distribution, "has no RECORD, so the files that belong to it are unknown")
    if not distribution.tags:
        raise _unpackable(distribution, "has no WHEEL file with tags, so where it runs is unknown")


def _unpackable(distribution: Distribution, reason: str, problems: Iterable[str] = ()) -> CaptureError:
    return CaptureError(
        f"{distribution.name} {distribution.version} is on no package index and can't be made into a wheel: {reason}",
        where=str(distribution.metadata),
        problems=problems,
        fix=f"Install it again with a current pip or uv (pip install --force-reinstall {distribution.name}).",
    )


def _layout(distribution: Distribution, interpreter: Interpreter) -> _Layout:
    paths = {key: os.path.normpath(value) for key, value in interpreter.paths.items()}
    location = os.path.normpath(distribution.location)
    mine, other = ("purelib", "platlib") if distribution.purelib else ("platlib", "purelib")
    data = paths["data"]
    tail = os.path.relpath(paths[mine], data)
    if location != paths[mine] and location.endswith(os.sep + tail):
        data = location[: -len(tail) - 1]  # the user scheme, or another spelling of the prefix: same shape below it
    scripts = os.path.join(data, os.path.relpath(paths["scripts"], paths["data"]))  # noqa: PTH118 - normalised text
    others = {other: paths[other]} if paths[other] != paths[mine] else {}
    interpreters = frozenset({os.path.normpath(scripts), paths["scripts"], str(interpreter.executable.parent)})
    return _Layout(location, others, data, os.path.normpath(scripts), interpreters)


def _entries(distribution: Distribution) -> Iterator[_Entry]:
    text = (distribution.metadata / "RECORD").read_text(encoding="utf-8")
    for row in csv.reader(io.StringIO(text)):
        if row and row[0]:
            yield _Entry(row[0].replace("\\", "/"), row[1] if len(row) > 1 else "")


def _members(distribution: Distribution, layout: _Layout, entries: Mapping[str, _Entry]) -> Iterator[tuple[str, str]]:
    """The absolute path of each file to pack and its path inside the wheel."""
    launchers = _launchers(distribution.metadata)
    traces = INSTALL_TRACES | {"WHEEL"}
    escaping = []
    for path, entry in entries.items():
        inside = _inside(distribution, layout, path)
        if inside is None:
            escaping.append(entry.path)
        elif not _left_out(PurePosixPath(inside), distribution.metadata.name, traces, launchers):
            yield path, inside
    if escaping:
        raise _unpackable(distribution, "its RECORD lists files outside of the environment", escaping)


def _left_out(inside: PurePosixPath, dist_info: str, traces: frozenset[str], launchers: frozenset[str]) -> bool:
    parts = inside.parts
    if "__pycache__" in parts:
        return True
    if parts[0] == dist_info:
        return len(parts) == 2 and parts[1] in traces  # noqa: PLR2004 - directly in the directory
    return parts[0].endswith(".data") and parts[1:2] == ("scripts",) and _command(parts[-1]) in launchers


def _inside(distribution: Distribution, layout: _Layout, path: str) -> str | None:
    """Where a file belongs in the wheel, or None when it is outside of the environment."""
    if (below := _below(path, layout.location)) is not None:
        return below
    data = f"{distribution.metadata.name.removesuffix('.dist-info')}.data"
    for scheme, folder in layout.others.items():
        if (below := _below(path, folder)) is not None:
            return f"{data}/{scheme}/{below}"
    below = _below(path, layout.scripts)
    if below is not None and "/" not in below and (os.access(path, os.X_OK) or not Path(path).exists()):
        return f"{data}/scripts/{below}"
    below = _below(path, layout.data)
    if below is None:
        return None
    header = _HEADERS.fullmatch(below)
    if header and canonicalize_name(header[1]) == distribution.name:
        return f"{data}/headers/{header[2]}"
    return f"{data}/data/{below}"


def _below(path: str, folder: str) -> str | None:
    return path[len(folder) + 1 :].replace(os.sep, "/") if path.startswith(folder + os.sep) else None


def _launchers(metadata: Path) -> frozenset[str]:
    """Names of the commands that every installer makes from entry_points.txt."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names are case-sensitive
    try:
        parser.read_string((metadata / "entry_points.txt").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return frozenset()
    sections = ("console_scripts", "gui_scripts")
    return frozenset(name.strip() for one in sections if parser.has_section(one) for name in parser.options(one))


def _command(name: str) -> str:
    """A launcher's command: Windows has `x.exe`, and older installers left `x-script.py` beside it."""
    return re.sub(r"(\.exe|-script\.pyw?|\.exe\.manifest)$", "", name)


def _member(layout: _Layout, path: Path, inside: str) -> Member:
    parts = inside.split("/")
    if not (parts[0].endswith(".data") and parts[1] == "scripts"):
        return Member.of_file(inside, path, executable=os.access(path, os.X_OK))
    original = _without_shebang(layout, path)
    if original is None:
        return Member.of_file(inside, path, executable=True)
    return Member.of_bytes(inside, original, executable=True)


def _without_shebang(layout: _Layout, path: Path) -> bytes | None:
    """A script as it was before installation put this environment's interpreter in; None when it holds another."""
    with path.open("rb") as stream:
        start = stream.read(_PEEK)
    found = _TRAMPOLINE.match(start) or _SHEBANG.match(start)
    if not found:
        return None
    interpreter = Path(os.fsdecode(found[1]))
    ours = os.path.normpath(interpreter.parent) in layout.interpreters
    if not ours or not _INTERPRETER.fullmatch(interpreter.name):
        return None
    window = b"w" if interpreter.stem.endswith("w") else b""
    return b"#!python" + window + b"\n" + path.read_bytes()[found.end() :]


def _edited(path: Path, entry: _Entry) -> bool:
    algorithm, _, expected = entry.digest.partition("=")
    if not expected or algorithm not in hashlib.algorithms_available:
        return False
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, algorithm).digest()
    return record_digest(actual, algorithm) != f"{algorithm}={expected.rstrip('=')}"
