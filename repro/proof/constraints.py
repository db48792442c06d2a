"""Which changes can't be made without others, by the requirements in the wheels (Requires-Dist).

Every constraint is between two packages, so a mixture is installable exactly when it holds, with each change, those
that it implies: a new version whose requirement only another new version meets, or whose arrival breaks an old one.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from repro.proof.changes import CONDA, PLATFORM, Change

_LONGEST = 1 << 22
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_STABLE = "abi3"


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of one environment, as far as constraints go.

    Attributes:
        version: Its version.
        requires: Requirements on others, of this platform, without those of extras; empty where none are known.
        pythons: Minor versions of CPython 3 that its wheel is for; None for any.
    """

    version: str
    requires: tuple[Requirement, ...] = ()
    pythons: frozenset[int] | None = None


Environments = tuple[Mapping[str, Installed], Mapping[str, Installed]]


def implied(changes: Sequence[Change], environments: Environments, pythons: tuple[int, int]) -> dict[str, set[str]]:
    """For each change those that have to be made with it.

    A constraint that an environment breaks itself, as people's do, binds nobody.

    Args:
        changes: From A to B.
        environments: What A and B have installed.
        pythons: Minor versions of their Pythons.
    """
    names = {change.name for change in changes}
    found: dict[str, set[str]] = {name: set() for name in names}
    for name, other in (*_required(environments, names), *_for_python(environments, pythons, names)):
        found[name].add(other)
    return found


def read_requirements(wheel: Path, python: str) -> tuple[Requirement, ...]:
    """What a wheel requires on Linux under this Python; nothing where it can't be told."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if _METADATA.fullmatch(name)]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > _LONGEST:
                return ()
            raw, _ = parse_email(archive.read(names[0]))
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return ()
    marked = _marker_environment(python)
    return tuple(one for text in raw.get("requires_dist", ()) if (one := _requirement(text, marked)) is not None)


def pythons_of(wheel_name: str) -> frozenset[int] | None:
    """Minor versions of CPython 3 that a wheel of this name is for; None when it doesn't bind."""
    try:
        tags = parse_wheel_filename(wheel_name)[3]
    except InvalidWheelFilename:
        return None
    if any(tag.interpreter in {"py3", "py2.py3"} or tag.abi == _STABLE for tag in tags):
        return None
    return frozenset(minor for tag in tags for minor in _minors(tag)) or None


def _minors(tag: Tag) -> Iterator[int]:
    number = tag.interpreter.removeprefix("cp3")
    if number != tag.interpreter and number.isdecimal():
        yield int(number)


def _requirement(text: str, marked: Mapping[str, str]) -> Requirement | None:
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return None
    applies = found.marker is None or found.marker.evaluate(dict(marked))
    return found if applies else None


def _marker_environment(python: str) -> dict[str, str]:
    """Values of environment markers (PEP 508) in the image."""
    known = {name: str(value) for name, value in default_environment().items()}
    image = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "extra": "",
    }
    return {**known, **image}


def _required(environments: Environments, names: set[str]) -> Iterator[tuple[str, str]]:
    """(a, b): a can't be made without b."""
    for ours, theirs, is_new in ((*environments, False), (*environments[::-1], True)):
        for name, installed in ours.items():
            for required in installed.requires:
                other = _provider(canonicalize_name(required.name), ours, theirs)
                if name == other or not {name, other} <= names:
                    continue
                if _meets(required, ours.get(other)) and not _meets(required, theirs.get(other)):
                    yield (name, other) if is_new else (other, name)


def _provider(project: str, *environments: Mapping[str, Installed]) -> str:
    """The wheel of a project; else the conda package of that name, as most are called."""
    conda = f"{CONDA}{project}"
    known = any(conda in one for one in environments) and not any(project in one for one in environments)
    return conda if known else project


def _meets(required: Requirement, installed: Installed | None) -> bool:
    try:
        return installed is not None and required.specifier.contains(installed.version, prereleases=True)
    except InvalidVersion:  # of a conda package
        return True


def _for_python(environments: Environments, pythons: tuple[int, int], names: set[str]) -> Iterator[tuple[str, str]]:
    if PLATFORM not in names or pythons[0] == pythons[1]:
        return
    before, after = environments
    for name in sorted(names - {PLATFORM}):
        if name in after and not _runs_on(after[name], pythons[0]):
            yield name, PLATFORM
        if name in before and not _runs_on(before[name], pythons[1]):
            yield PLATFORM, name


def _runs_on(installed: Installed, minor: int) -> bool:
    return installed.pythons is None or minor in installed.pythons
