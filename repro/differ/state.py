"""One side of a comparison: a lock, and how much of it was really seen on that side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from repro.differ.contents import Contents
from repro.differ.model import Side
from repro.lock import Lock, Package


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """One package as far as a side knows it; None stands for what it can't tell.

    Attributes:
        name: Normalised project name.
        version: As installed.
        direct: Whether somebody asked for it, rather than another package.
        origin: Where its files come from, for people.
        files: sha256 of each wheel, in hex, by platform; for an environment there are none.
        labels: Names of the wheels by platform.
        build: What tells builds of one version apart without their bytes: build number and tags, platforms left out.
        patched: Installed files that differ from what was published.
        edited: Modules of an editable install that are no longer those of the locked wheel.
    """

    name: str
    version: str
    direct: bool | None = None
    origin: str | None = None
    files: Mapping[str, str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    build: frozenset[str] | None = None
    patched: tuple[str, ...] | None = None
    edited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What one side is.

    Attributes:
        side: Its name.
        lock: What it says; for a working tree, what a lock of it would say as far as that can be told.
        packages: Its packages; None where nobody could look.
        contents: Gives the content of its files.
        unknown: What nobody looked at, with the reason, by name: `packages`, `python`, `base`, `system`, `variables`,
            `machine`, `libraries`, `values`, `outputs`, `runner`.
    """

    side: Side
    lock: Lock
    packages: tuple[PackageFacts, ...] | None
    contents: Contents
    unknown: Mapping[str, str] = field(default_factory=dict)


def locked_state(side: Side, lock: Lock, contents: Contents) -> State:
    """A lock, or the one in an image."""
    return State(side, lock, tuple(map(package_facts, lock.packages)), contents)


def package_facts(package: Package) -> PackageFacts:
    """What a lock says of a package."""
    files = {target: file for file in package.files for target in file.targets}
    return PackageFacts(
        name=package.name,
        version=package.version,
        direct=package.requested,
        origin=package.origin if package.origin == "index" else f"{package.origin}, {package.source}",
        files={target: file.sha256.hex for target, file in files.items()},
        labels={target: file.name for target, file in files.items()},
        build=wheel_build(file.name for file in package.files) if package.origin == "index" else None,
        patched=package.patched,
    )


def wheel_build(names: Iterable[str]) -> frozenset[str] | None:
    """Build numbers and tags of wheels without their platforms; None where there is no name of a wheel."""
    found: set[str] = set()
    for name in names:
        try:
            _, _, build, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            return None
        number = f"{build[0]}{build[1]}" if build else ""
        found |= {build_label(number, tag.interpreter, tag.abi, tag.platform) for tag in tags}
    return frozenset(found) or None


def build_label(number: str, interpreter: str, abi: str, platform: str) -> str:
    """A tag without its platform, behind the build number."""
    return f"{number}:{interpreter}-{abi}-{'any' if platform == 'any' else 'native'}"


def without(state: State, unknown: Mapping[str, str]) -> State:
    """The side with more that it can't tell."""
    return replace(state, unknown={**state.unknown, **unknown})
