"""Locks of conda's world: conda-lock.yml, pixi.lock, and explicit files. They name every package by its archive."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from repro.capture.drift.locks import pinned
from repro.capture.drift.model import CondaSpec, Declared, File, specifiers
from repro.capture.drift.shapes import read_yaml, table, tables, text, texts
from repro.conda.names import NOARCH, parse_archive_name, subdir_in
from repro.errors import UsageError

_SYSTEMS = {"linux": "linux", "darwin": "osx", "win32": "win"}
_MACHINES = {"x86_64": "64", "AMD64": "64", "i686": "32", "x86": "32", "ARM64": "arm64"}
_MARK = "@EXPLICIT"
_HEAD = 8192
_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)")
_PIP = re.compile(r"# pip \S+ @ (\S+)")
"""How conda-lock writes pip's packages into an explicit file, for itself and micromamba."""
_PIXI_VERSIONS = range(4, 8)
_DEFAULT = "default"


def subdir(file: File) -> str:
    """Conda's name of the laptop's platform, such as `linux-64` or `osx-arm64`."""
    machine = str(file.variables["platform_machine"])
    system = str(file.variables["sys_platform"])
    return f"{_SYSTEMS.get(system, system)}-{_MACHINES.get(machine, machine)}"


def read_conda_lock(file: File) -> Iterator[Declared]:
    """conda-lock's unified lockfile, version 1: one entry for each package, platform and category."""
    document = table(read_yaml(file.path))
    if document.get("version") != 1:
        file.fault(f"it has version {document.get('version')!r} of conda-lock's format, and 1 is known")
        return
    here = subdir(file)
    for one in tables(document.get("package")):
        if text(one.get("platform")) == here:
            wanted = one.get("category", "main") == "main"
            if text(one.get("manager")) == "pip":
                yield pinned(text(one.get("name")), texts(one.get("version")), file, wanted=wanted)
            else:
                yield from archive(text(one.get("url")), file, wanted=wanted)


def is_explicit(path: Path) -> bool:
    """Whether a file is an explicit one, by the line that says so near its start."""
    with path.open("rb") as stream:
        return any(line.strip() == _MARK.encode() for line in stream.read(_HEAD).splitlines())


def read_explicit(file: File) -> Iterator[Declared]:
    """An explicit file, as `conda list --explicit` and conda-lock write it: URLs, for one platform."""
    lines = [line.strip() for line in file.path.read_text(encoding="utf-8").splitlines()]
    if _explicit_platform(lines) in {None, subdir(file)}:
        for line in lines:
            pip = _PIP.match(line)
            if pip:
                yield from _wheel(pip[1], file)
            elif line and not line.startswith(("#", "@")):
                yield from archive(line, file)


def _explicit_platform(lines: list[str]) -> str | None:
    said = next((found[1] for line in lines if (found := _PLATFORM.match(line))), None)
    folders = (subdir_in(line) for line in lines if not line.startswith(("#", "@")))
    return said or next((one for one in folders if one and one != NOARCH), None)


def read_pixi_lock(file: File) -> Iterator[Declared]:
    """pixi.lock, versions 4 to 7: what the environment in use has on the laptop's platform."""
    document = table(read_yaml(file.path))
    if document.get("version") not in _PIXI_VERSIONS:
        file.fault(f"it has version {document.get('version')!r} of pixi's format, and 4 to 7 are known")
        return
    pypi = {_place(one): one for one in tables(document.get("packages")) if "pypi" in one or one.get("kind") == "pypi"}
    environments = table(document, "environments")
    chosen = table(environments, _pixi_environment(file.prefix, environments), "packages")
    for one in tables(chosen.get(_pixi_platform(document, chosen, file))):
        if "conda" in one:
            yield from archive(text(one["conda"]), file)
        elif text(one.get("pypi")) in pypi:
            found = pypi[text(one["pypi"])]
            yield pinned(text(found.get("name")), texts(found.get("version")), file, wanted=True)


def _place(package: Mapping[str, Any]) -> str:
    """Where a package of PyPI comes from, by which environments name it; before version 6 in other fields."""
    return next(filter(None, (text(package.get(key)) for key in ("pypi", "url", "path"))), "")


def _pixi_environment(prefix: Path, known: Collection[str]) -> str:
    """Pixi keeps environments in `.pixi/envs/NAME`, or elsewhere in some `envs/NAME`, as conda does."""
    return prefix.name if prefix.parent.name == "envs" and prefix.name in known else _DEFAULT


def _pixi_platform(document: Mapping[str, Any], packages: Mapping[str, Any], file: File) -> str:
    """Since version 7 platforms may have names of their own; the first that suits is the one that pixi takes."""
    here = subdir(file)
    named = [one for one in tables(document.get("platforms")) if text(one.get("subdir")) == here]
    return next((name for one in named if (name := text(one.get("name"))) in packages), here)


def archive(url: str, file: File, *, wanted: bool = True) -> Iterator[Declared]:
    """A conda package by its archive; packages that pixi builds from source have none, and nothing pins them."""
    try:
        found = parse_archive_name(unquote(urlsplit(url).path).rpartition("/")[2])
    except UsageError:
        return
    yield Declared(
        name=canonicalize_name(found.name),
        place=file.place,
        said=found.version,
        specifiers=specifiers(f"=={found.version}"),
        wanted=wanted,
        direct=False,
        conda=CondaSpec(found.name, f"=={found.version}", found.build),
    )


def _wheel(url: str, file: File) -> Iterator[Declared]:
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    try:
        project, version = parse_wheel_filename(name)[:2] if name.endswith(".whl") else parse_sdist_filename(name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return
    yield pinned(project, [str(version)], file, wanted=True)
