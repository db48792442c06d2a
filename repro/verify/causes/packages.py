"""Rules `package-changed`, `package-added`, `package-removed`, `package-missing`, `package-modified`."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from repro.plan.layers import packages as package_layers
from repro.plan.model import CondaLink
from repro.verify.causes.conda import LINE, NOT, blas_pairs, conda_pairs, is_imported, is_requested, target_of
from repro.verify.causes.image import changed_layers
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import lacking, listed
from repro.verify.judge import CONDA
from repro.verify.model import Cause

_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")
_ALONE = ("wheel", "conda")
"""What the names of layers begin with that hold one package (`repro.plan.layers`)."""
_GROUP = "condas-"
_REBUILD = "Build the image again from the lock; make such changes in the project, or as a package of their own."


@dataclass(frozen=True, slots=True)
class _Package:
    """A package whose version differs.

    Attributes:
        name: Its name. laptop: What the laptop had, None for nothing. here: What the image has.
        imported: Whether the run imported it. direct: Whether somebody asked for it.
        by_conda: Whether it is one of conda's.
    """

    name: str
    laptop: str | None
    here: str | None
    imported: bool
    direct: bool
    by_conda: bool = False


def changed_packages(situation: Situation) -> Iterator[Cause]:
    """Versions that differ: of what was imported first, and of that what somebody asked for first."""
    found, sure = [*_conda(situation), *_wheels(situation)], bool(_lines(situation))
    for one in sorted(found, key=lambda one: (not one.imported, not one.direct, one.name)):
        yield _changed(one, sure=sure)


def _conda(situation: Situation) -> Iterator[_Package]:
    """Conda's; another BLAS, and another build of a version, have rules of their own."""
    blas = blas_pairs(situation)
    for one in conda_pairs(situation):
        if one.versions[0] != one.versions[1] and one not in blas:
            imported, direct = is_imported(situation, one.name), is_requested(situation, one.name)
            yield _Package(one.name, one.laptop, one.here, imported, direct, by_conda=True)


def _wheels(situation: Situation) -> Iterator[_Package]:
    """Those of pip; what came with a conda package on both sides is told as that."""
    laptop, here = _versions(situation)
    for name in sorted(laptop.keys() | here.keys()):
        if laptop.get(name) != here.get(name):
            imported, direct = name in situation.lock.modules, _is_direct(situation, name)
            yield _Package(name, laptop.get(name), here.get(name), imported, direct)


def _versions(situation: Situation) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Name → version on both sides."""
    lines = [found for found in _lines(situation) if not found["name"].startswith(CONDA)]
    if _lines(situation):
        laptop, here = (
            {found["name"]: found[side] for found in lines if found[side] != NOT} for side in ("laptop", "here")
        )
        return laptop, here
    ours, theirs = situation.laptop.record, situation.here.record
    if ours is None or theirs is None:
        return {}, {}
    conda = ours.brought.keys() & theirs.brought.keys()
    laptop, here = (
        {name: version for name, version in record.packages.items() if name not in conda} for record in (ours, theirs)
    )
    return laptop, here


def _lines(situation: Situation) -> list[re.Match[str]]:
    """What a finding says that the image has otherwise."""
    return [found for one in situation.found("packages") for line in one.evidence if (found := LINE.fullmatch(line))]


def _changed(one: _Package, *, sure: bool) -> Cause:
    rule = "package-added" if one.laptop is None else "package-removed" if one.here is None else "package-changed"
    what = {"package-added": "is only here", "package-removed": "is only on the laptop"}.get(rule, "is another version")
    kind = "asked for" if one.direct else "brought by another package"
    return Cause(
        rule=rule,
        message=f"{one.name} {what} ({kind}{', imported by the run' if one.imported else ''})",
        laptop=one.laptop or "not installed",
        here=one.here or "not installed",
        where=one.name,
        confidence="certain" if sure else "likely" if one.imported else "possible",
        fix=_fix(one),
        evidence=(f"{one.name}: {one.laptop or 'not installed'} on the laptop, {one.here or 'not installed'} here",),
    )


def _fix(one: _Package) -> str:
    if not (one.laptop and one.here):
        return "Capture again from the environment that the baseline was measured in."
    if one.by_conda:
        pin = f"{one.name}={one.here.partition(' ')[0]}"
        return f'Capture again with what the image has: conda install "{pin}" on the laptop first.'
    return f"Have {one.name} {one.laptop} in the image, as on the laptop, or capture again with {one.here}."


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
        kind, _, name = layer.partition("-")
        if kind in _ALONE and name not in packages:
            packages[name] = []
    for name, paths in packages.items():
        yield Cause(
            rule="package-modified",
            message=f"the files of {name} in the image are not those of the locked package",
            laptop="as published" if not _patched(situation, name) else "changed by hand, as locked",
            here=f"changed: {listed(paths)}" if paths else "another layer than the lock predicts",
            where=name,
            confidence="certain",
            fix=_REBUILD,
            evidence=tuple(paths),
        )
    yield from _modified_groups(situation, layers, packages.keys())


def _modified_groups(situation: Situation, layers: Iterable[str], known: Collection[str]) -> Iterator[Cause]:
    """Layers of several conda packages, where nothing tells which one of them it is."""
    groups = {layer.name: layer for layer in package_layers(situation.lock, target_of(situation))}
    for name in sorted(layer for layer in layers if layer.startswith(_GROUP) and layer in groups):
        held = [item.package.name for item in groups[name].items if isinstance(item, CondaLink)]
        if not set(held).intersection(known):
            yield Cause(
                rule="package-modified",
                message=f"the files of one of these conda packages are not those of the locked one: {listed(held)}",
                laptop="as published, or changed by hand as locked",
                here="another layer than the lock predicts",
                where=name,
                confidence="certain",
                fix=_REBUILD,
                evidence=tuple(held),
            )


def _patched(situation: Situation, name: str) -> bool:
    lock = situation.lock
    by_conda = any(one.name == name and one.patched for one in lock.conda)
    return by_conda or any(one.name == name and one.patched for one in lock.packages)
