"""Rules `package-changed`, `package-added`, `package-removed`, `package-missing`, `package-modified`."""

import re
from collections.abc import Iterator, Mapping

from repro.verify.causes.image import changed_layers
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import lacking, listed
from repro.verify.model import Cause

_LINE = re.compile(r"(?P<name>\S+): (?P<laptop>\S+) in the lock, (?P<here>\S+) in the image")
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")
_WHEEL = "wheel-"
_NOT = "not"


def changed_packages(situation: Situation) -> Iterator[Cause]:
    """Versions that differ: of what was imported first, and of that what somebody asked for first."""
    laptop, here, sure = _versions(situation)
    found = [name for name in sorted(laptop.keys() | here.keys()) if laptop.get(name) != here.get(name)]
    for name in sorted(found, key=lambda name: (not _is_imported(situation, name), not _is_direct(situation, name))):
        yield _changed(situation, name, laptop.get(name), here.get(name), sure=sure)


def _versions(situation: Situation) -> tuple[Mapping[str, str], Mapping[str, str], bool]:
    """Name → version on both sides, and whether a finding says that they differ."""
    lines = [found for one in situation.found("packages") for line in one.evidence if (found := _LINE.fullmatch(line))]
    if lines:
        sides = ({found["name"]: found[side] for found in lines if found[side] != _NOT} for side in ("laptop", "here"))
        laptop, here = sides
        return laptop, here, True
    if situation.here.record is None or situation.laptop.record is None:
        return {}, {}, False
    return situation.laptop.record.packages, situation.here.record.packages, False


def _changed(situation: Situation, name: str, laptop: str | None, here: str | None, *, sure: bool) -> Cause:
    rule = "package-added" if laptop is None else "package-removed" if here is None else "package-changed"
    imported, direct = _is_imported(situation, name), _is_direct(situation, name)
    what = {"package-added": "is only here", "package-removed": "is only on the laptop"}.get(rule, "is another version")
    kind = "asked for" if direct else "brought by another package"
    return Cause(
        rule=rule,
        message=f"{name} {what} ({kind}{', imported by the run' if imported else ''})",
        laptop=laptop or "not installed",
        here=here or "not installed",
        where=name,
        confidence="certain" if sure else "likely" if imported else "possible",
        fix=f"Have {name} {laptop} in the image, as on the laptop, or capture again with {here}."
        if laptop and here
        else "Capture again from the environment that the baseline was measured in.",
        evidence=(f"{name}: {laptop or 'not installed'} on the laptop, {here or 'not installed'} here",),
    )


def _is_imported(situation: Situation, name: str) -> bool:
    return name in situation.lock.modules


def _is_direct(situation: Situation, name: str) -> bool:
    return any(one.name == name and one.requested for one in situation.lock.packages)


def missing_package(situation: Situation) -> Iterator[Cause]:
    """A module that can't be imported."""
    failure = situation.failure
    found = None if failure is None else _NO_MODULE.search(failure.message)  # many imports are only tried
    if failure is not None and found is not None:
        yield lacking(
            failure,
            "package-missing",
            f"the evaluation imports {found.group(1)}, which the image doesn't have",
            laptop="installed",
            here="no such module",
            where=found.group(1),
            fix="Install it in the captured environment, make sure that the run imports it there, and capture again.",
        )


def modified_packages(situation: Situation) -> Iterator[Cause]:
    """Files of packages that were changed in the image; by package where they could be read, else by layer."""
    packages: dict[str, list[str]] = {}
    for line in situation.modified:
        name, _, path = line.partition(": ")
        packages.setdefault(name, []).append(path)
    layers = {name for one in situation.found("layers") for name in changed_layers(one.evidence)}
    for layer in sorted(layers):
        name = layer.removeprefix(_WHEEL)
        if layer.startswith(_WHEEL) and name not in packages:
            packages[name] = []
    for name, paths in packages.items():
        yield Cause(
            rule="package-modified",
            message=f"the files of {name} in the image are not those of the locked package",
            laptop="as published" if not _patched(situation, name) else "changed by hand, as locked",
            here=f"changed: {listed(paths)}" if paths else "another layer than the lock predicts",
            where=name,
            confidence="certain",
            fix="Build the image again from the lock; make such changes in the project, or as a package of their own.",
            evidence=tuple(paths),
        )


def _patched(situation: Situation, name: str) -> bool:
    return any(one.name == name and one.patched for one in situation.lock.packages)
