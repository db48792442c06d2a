"""Installs that no RECORD describes → wheels: eggs, zipped or not, egg-info of old setup.py, packages of Debian.

Which files are theirs is told by `repro.capture.packages.unlisted`; here is how they become a wheel.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.choose import abi_tag
from repro.capture.packages.unlisted import contents_of
from repro.capture.packages.wheel_writer import Member, escaped_name, wheel_file_name, wheel_metadata, write_wheel
from repro.capture.records import repackaged
from repro.errors import CaptureError

_EXTENSIONS = (".so", ".pyd", ".dylib")
_SECTION = re.compile(r"\[(?P<extra>[^\]:]*)(?::(?P<marker>.*))?\]")
_SHEBANG = re.compile(rb"\A#![^\n]*python[^\n]*\n")
_KEPT = ("entry_points.txt", "top_level.txt")


def is_recorded(distribution: Distribution) -> bool:
    """Whether an install says enough of itself to be packed again as it is (`repack`)."""
    told = distribution.metadata.suffix == ".dist-info" and distribution.record and bool(distribution.tags)
    return told and not repackaged(distribution)


def unrecorded_wheel(
    distribution: Distribution,
    interpreter: Interpreter,
    destination: Path,
    warn: Callable[[str], None] | None = None,
) -> Path:
    """Make a wheel of what seems to belong to an install. The same files give the same bytes.

    Args:
        distribution: What is installed, other than editable.
        interpreter: The environment that it is installed in.
        destination: Directory for the wheel.
        warn: Called with a sentence when it is only by their names that files are its own.

    Raises:
        CaptureError: Nothing tells which files are its own.
    """
    contents = contents_of(distribution, interpreter)
    if not contents.files:
        raise CaptureError(
            f"{distribution.name} {distribution.version} is on no package index, and nothing tells which files are its "
            "own: its installer left no list",
            where=str(distribution.metadata),
            fix=f"Install it again with a current pip or uv (pip install --force-reinstall {distribution.name}).",
        )
    if contents.guessed and warn:
        warn("its installer left no list of its files, so what has the names of its top-level packages was taken")
    native = any(path.endswith(_EXTENSIONS) for path in contents.files)
    tags = distribution.tags or (native_tag(interpreter) if native else "py3-none-any",)
    stem = f"{escaped_name(distribution.name)}-{distribution.version}"
    info = f"{stem}.dist-info"
    members = [
        *contents.files.values(),
        *_scripts(f"{stem}.data/scripts", contents.scripts),
        *_metadata(info, contents.metadata),
        Member.of_bytes(f"{info}/WHEEL", wheel_metadata(tags, purelib=not native)),
    ]
    target = destination / wheel_file_name(distribution.name, distribution.version, tags)
    write_wheel(target, info, members)
    return target


def native_tag(interpreter: Interpreter) -> str:
    """The tag of a wheel with extension modules that were compiled on this machine."""
    major, minor = interpreter.version.split(".")[:2]
    prefix = {"cpython": "cp", "pypy": "pp"}.get(interpreter.implementation, interpreter.implementation)
    python = f"{prefix}{major}{minor}"
    abi = abi_tag(interpreter.implementation, interpreter.soabi) or python
    return f"{python}-{abi}-{re.sub(r'[-.]', '_', interpreter.platform)}"


def _scripts(folder: str, scripts: Mapping[str, bytes]) -> Iterator[Member]:
    for name, content in scripts.items():
        yield Member.of_bytes(f"{folder}/{name}", _SHEBANG.sub(b"#!python\n", content), executable=True)


def _metadata(info: str, texts: Mapping[str, str]) -> Iterator[Member]:
    described = texts.get("METADATA") or with_requirements(texts.get("PKG-INFO", ""), texts.get("requires.txt", ""))
    yield Member.of_bytes(f"{info}/METADATA", described.encode("utf-8", "surrogateescape"))
    for name in _KEPT:
        if texts.get(name):
            yield Member.of_bytes(f"{info}/{name}", texts[name].encode("utf-8", "surrogateescape"))


def with_requirements(described: str, requires: str) -> str:
    """PKG-INFO with the lines of egg-info's requires.txt as Requires-Dist, unless it has such lines itself."""
    head, blank, body = described.replace("\r\n", "\n").partition("\n\n")
    lines = [line for line in head.rstrip("\n").split("\n") if not line.startswith("Metadata-Version:")]
    if not any(line.startswith("Requires-Dist:") for line in lines):
        lines += _requirement_lines(requires.splitlines())
    return "\n".join(["Metadata-Version: 2.1", *lines]) + (f"{blank}{body}" if blank else "\n")


def _requirement_lines(lines: Iterable[str]) -> Iterator[str]:
    """requires.txt (setuptools): requirements, then sections `[extra]`, `[:marker]` and `[extra:marker]`."""
    extra, conditions = "", ""
    for line in map(str.strip, lines):
        section = _SECTION.fullmatch(line)
        if section:
            extra = section["extra"]
            marker = f"({section['marker']})" if section["marker"] and extra else section["marker"] or ""
            conditions = " and ".join(filter(None, [f'extra == "{extra}"' if extra else "", marker]))
            if extra:
                yield f"Provides-Extra: {extra}"
        elif line:
            yield f"Requires-Dist: {line}{f'; {conditions}' if conditions else ''}"
