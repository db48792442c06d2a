"""What maintainer scripts and triggers would do, for those that are known. They are data: known-scripts.toml.

A script counts as known by the sha256 of its text. Somebody has read it, and written down what it leaves behind on a
fresh installation. Nothing is run here.
"""

import functools
import hashlib
import importlib.resources
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repro.debian.alternatives import Alternative, Slave
from repro.debian.deb import Deb
from repro.debian.tree import Tree
from repro.errors import CaptureError

_TABLE = "known-scripts.toml"
_MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a package's scripts leave on a fresh installation beside its files. Paths are relative to `/`.

    Attributes:
        package: Whose scripts they are.
        why: What somebody found who read them.
        alternatives: Offers for update-alternatives.
        links: Symbolic links by path.
        files: Contents by path.
        directories: Made when missing.
        unless: Files that must not be there, with a star at the end for all that begin so: more would happen then.
        lacks: What is left undone, for people; empty when nothing is.
        certificates: Whether the bundle of CA certificates is made.
    """

    package: str
    why: str
    alternatives: tuple[Alternative, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    lacks: str = ""
    certificates: bool = False


@dataclass(frozen=True, slots=True)
class Trigger:
    """What happens when a package is told of a name or of new files below a directory (deb-triggers(5)).

    Attributes:
        why: What somebody found.
        lacks: What is left undone, or empty.
    """

    why: str
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    scripts: Mapping[str, Effect]
    triggers: Mapping[str, Trigger]


def known_effects(debs: Sequence[Deb], skipped: Iterable[str], architecture: str) -> list[Effect]:
    """The effects of all scripts.

    Args:
        debs: The packages.
        skipped: Names of those whose scripts are knowingly left out.
        architecture: Debian's name.

    Raises:
        CaptureError: A script isn't known; `problems` names every one with its package and digest.
    """
    skip, known = frozenset(skipped), _known(architecture)
    found: list[Effect] = []
    problems: list[str] = []
    for deb in debs:
        for name, text in sorted(deb.scripts.items()):
            if deb.package in skip:
                continue
            digest = hashlib.sha256(text).hexdigest()
            effect = known.scripts.get(digest)
            if effect is None:
                problems.append(f"{deb.package} {deb.fields['version']}: {name} (sha256 {digest})")
            elif effect not in found:
                found.append(effect)
    if problems:
        raise CaptureError(
            "these maintainer scripts are not known, and nothing runs scripts of packages here",
            where="repro.toml: system.apt",
            problems=problems,
            fix="Read them (dpkg-deb --ctrl-tarfile FILE.deb | tar -xO ./postinst). When the evaluation does without "
            "what they do, add the package to [system] skip-scripts; else use a base image that has the package.",
        )
    return found


def check_conditions(tree: Tree, effects: Iterable[Effect]) -> None:
    """Raise CaptureError where a script would do more, because of files that another package brings."""
    problems = []
    for effect in effects:
        for pattern in effect.unless:
            hit = _first(tree, pattern)
            if hit is not None:
                problems.append(f"{effect.package}: its script would handle /{hit}")
    if problems:
        raise CaptureError(
            "the scripts of these packages do more than is known, because of other files in the image",
            where="repro.toml: system.apt",
            problems=problems,
            fix="Add the packages to [system] skip-scripts when the evaluation does without, or use a base image that "
            "has them.",
        )


def triggered(tree: Tree, debs: Sequence[Deb], skipped: Iterable[str], architecture: str) -> list[Trigger]:
    """What file triggers of new packages, and of the base's, would be set off by the new files, and is known.

    Raises CaptureError for those that aren't known.
    """
    skip, known = frozenset(skipped), _known(architecture)
    found, problems = [], []
    for folder, package in sorted({*_interests(debs), *_base_interests(tree)}):
        first = next((entry for entry in tree.below(folder) if entry.kind != "directory"), None)
        if first is None or package in skip:
            continue
        trigger = known.triggers.get(folder)
        if trigger is None:
            problems.append(f"{package} would be told of /{first.path}")
        else:
            found.append(trigger)
    if problems:
        raise CaptureError(
            "packages would act on new files in a way that is not known",
            where="repro.toml: system.apt",
            problems=problems,
            fix="Add the packages to [system] skip-scripts when the evaluation does without, or use a base image that "
            "has them.",
        )
    return found


def _first(tree: Tree, pattern: str) -> str | None:
    folder, _, start = pattern.rpartition("/")
    if not start.endswith("*"):
        return pattern if tree.find(pattern) is not None else None
    return next((f"{folder}/{name}" for name in tree.names(folder) if name.startswith(start[:-1])), None)


def _interests(debs: Iterable[Deb]) -> Iterator[tuple[str, str]]:
    for deb in debs:
        for line in deb.triggers.splitlines():
            words = line.split()
            if len(words) > 1 and words[0].startswith("interest") and words[1].startswith("/"):
                yield words[1].strip("/"), deb.package


def _base_interests(tree: Tree) -> Iterator[tuple[str, str]]:
    for line in (tree.base.read("var/lib/dpkg/triggers/File") or b"").decode("utf-8", "replace").splitlines():
        folder, _, package = line.partition(" ")
        yield folder.strip("/"), package.partition("/")[0]


@functools.cache
def _known(architecture: str) -> _Known:
    """The table, with `{multiarch}` filled in for an architecture."""
    text = importlib.resources.files("repro.debian").joinpath(_TABLE).read_text("utf-8")
    document = tomllib.loads(text.replace("{multiarch}", _MULTIARCH[architecture]))
    scripts = {digest: _effect(item) for item in document["package"] for digest in item["scripts"]}
    triggers = {item["folder"]: Trigger(item["why"], item.get("lacks", "")) for item in document["trigger"]}
    return _Known(scripts, triggers)


def _effect(item: Mapping[str, Any]) -> Effect:
    return Effect(
        package=item["name"],
        why=item["why"],
        alternatives=tuple(map(_alternative, item.get("alternatives", ()))),
        links=item.get("links", {}),
        files={path: content.encode() for path, content in item.get("files", {}).items()},
        directories=tuple(item.get("directories", ())),
        unless=tuple(item.get("unless", ())),
        lacks=item.get("lacks", ""),
        certificates=item.get("certificates", False),
    )


def _alternative(item: Mapping[str, Any]) -> Alternative:
    slaves = tuple(Slave(*each) for each in item.get("slaves", ()))
    return Alternative(item["name"], item["link"], item["path"], item["priority"], slaves)
