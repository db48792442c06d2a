"""What to do about a package that no published wheel stands for on a target: every way out that there really is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from repro.capture.model import Interpreter
from repro.capture.packages.choose import MACHINES, Unlockable, abi_tag, best_wheel, target_tags
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.simple import SDISTS
from repro.words import few

_MOST_NAMES = 4
_NEAREST = 40
"""How many versions in each direction are looked at."""
_NEWEST_GLIBC = "2.99"
_TORCH_INDEX = "https://download.pytorch.org/whl/"


def explain(
    missing: Unlockable, interpreter: Interpreter, tags: Mapping[str, Sequence[Tag]], client: IndexClient
) -> str:
    """One sentence: the package, why it can't be locked for the target, what there is, and what can be done.

    Args:
        missing: What was looked for in vain.
        interpreter: The captured environment.
        tags: What each target of the lock can run.
        client: The package indexes, which are asked for other versions.
    """
    names = missing.candidates
    there = f"; there is {few(names, _MOST_NAMES)}" if names else ""
    cures = list(_cures(missing, interpreter, tags[missing.target], client))
    return f"{missing.name} {missing.version} {missing.reason}{there}; {', or '.join(cures)}"


def _cures(missing: Unlockable, interpreter: Interpreter, tags: Sequence[Tag], client: IndexClient) -> Iterator[str]:
    _, _, variant = missing.version.partition("+")
    if variant and missing.name.startswith("torch"):
        yield f"add its index with --extra-index-url {_TORCH_INDEX}{variant}"
    elif not missing.candidates:
        yield "name the index that it came from with --extra-index-url"
    files = client.files(missing.name, missing.version)
    glibc = _needed_glibc(files, missing.target, interpreter)
    if glibc:
        yield f"choose a base image with glibc {glibc} or newer ([base] image in repro.toml)"
    others = _other_versions(missing, tags, client)
    if others:
        yield f"install {' or '.join(others)}, which {'has' if len(others) == 1 else 'have'} one, and run it again"
    for other in MACHINES:
        if other != missing.target and best_wheel(files, _tags(interpreter, other, _NEWEST_GLIBC)):
            yield f"capture for {other}, which has one (--platform {other})"
    if any(name.endswith(SDISTS) for name in missing.candidates):
        machine = MACHINES[missing.target]
        yield (
            f"build it on Linux on {machine} (pip wheel --no-deps {missing.name}=={missing.version}) "
            "and name the folder in repro.toml, [index] find-links"
        )
    elif missing.candidates and not (others or glibc):
        yield f"name a folder that has a wheel for {missing.target} in repro.toml, [index] find-links"


def _tags(interpreter: Interpreter, target: str, glibc: str) -> list[Tag]:
    abi = abi_tag(interpreter.implementation, interpreter.soabi)
    return target_tags(interpreter.version, interpreter.implementation, target, glibc, abi)


def _needed_glibc(files: Sequence[IndexFile], target: str, interpreter: Interpreter) -> str | None:
    """The oldest C library that one of these wheels would run on, all of which need a newer one than the base's."""
    usable = set(_tags(interpreter, target, _NEWEST_GLIBC))
    minors = [
        int(tag.platform.split("_")[2])
        for file in files
        if best_wheel([file], list(usable))
        for tag in parse_wheel_filename(file.name)[3] & usable
        if tag.platform.startswith("manylinux_2_")
    ]
    return f"2.{min(minors)}" if minors else None


def _other_versions(missing: Unlockable, tags: Sequence[Tag], client: IndexClient) -> list[str]:
    """The nearest older and the nearest newer version that has a wheel for the target."""
    try:
        ours = Version(missing.version)
    except InvalidVersion:
        return []
    known = sorted(_final(client.versions(missing.name)))
    older = _first([one for one in reversed(known) if one < ours], missing.name, tags, client)
    newer = _first([one for one in known if one > ours], missing.name, tags, client)
    return [f"{missing.name}=={one}" for one in (older, newer) if one]


def _final(versions: Iterable[str]) -> Iterator[Version]:
    for text in versions:
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            yield version


def _first(versions: Sequence[Version], name: str, tags: Sequence[Tag], client: IndexClient) -> str | None:
    for version in islice(versions, _NEAREST):
        files = [file for file in client.files(name, str(version)) if file.yanked is None]
        if best_wheel(files, tags):
            return str(version)
    return None
