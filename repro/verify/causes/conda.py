"""Rule `conda-build`, and what conda's packages say of both sides for the rules about packages and BLAS libraries."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from repro.conda.blas import blas_variant, brings_blas
from repro.lock import CondaPackage
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import listed
from repro.verify.judge import CONDA
from repro.verify.model import Cause

LINE = re.compile(r"(?P<name>\S+): (?P<laptop>.+) in the lock, (?P<here>.+) in the image")
"""How a finding says of a package that the image has another one."""
NOT = "not"

_TARGETS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
_MOST = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """One conda package that isn't the same: version and build on each side, None where a side hasn't it."""

    name: str
    laptop: str | None
    here: str | None

    @property
    def versions(self) -> tuple[str, str]:
        """On the laptop and here; "" for none."""
        return _version(self.laptop), _version(self.here)

    @property
    def variants(self) -> tuple[str | None, str | None]:
        """The BLAS that each side's build stands for."""
        return _variant(self.name, self.laptop), _variant(self.name, self.here)

    @property
    def line(self) -> str:
        """As evidence."""
        return (
            f"{self.name}: {self.laptop or 'not installed'} on the laptop, {self.here or 'not installed'} in the image"
        )


def _version(label: str | None) -> str:
    return "" if label is None else label.partition(" ")[0]


def _variant(name: str, label: str | None) -> str | None:
    return None if label is None else blas_variant(name, label.partition(" ")[2])


def conda_pairs(situation: Situation) -> list[Pair]:
    """Packages that differ, by name: as the run here was refused for, as both runs saw them, or as the lock says.

    What has a counterpart only on one side counts only where both sides are of one platform: compilers' and systems'
    own libraries have other names elsewhere.
    """
    laptop, here = _sides(situation)
    replaced = {one.name for one in situation.lock.packages}  # a wheel that left nothing of conda's package
    names = laptop.keys() & here.keys()
    if not _is_foreign(situation):
        names |= here.keys() | (laptop.keys() - replaced)
    return [
        Pair(name, laptop.get(name), here.get(name)) for name in sorted(names) if laptop.get(name) != here.get(name)
    ]


def _sides(situation: Situation) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Name → version and build."""
    lines = [found for one in situation.found("packages") for text in one.evidence if (found := LINE.fullmatch(text))]
    if lines:
        told = [found for found in lines if found["name"].startswith(CONDA)]
        laptop, here = (
            {found["name"].removeprefix(CONDA): found[side] for found in told if found[side] != NOT}
            for side in ("laptop", "here")
        )
        return laptop, here
    return laptop_conda(situation), here_conda(situation)


def laptop_conda(situation: Situation) -> Mapping[str, str]:
    """What the laptop had: as its run saw it, else as the lock says."""
    record = situation.laptop.record
    if record is not None and record.conda:
        return record.conda
    labels = {
        one.name: f"{one.version} {one.build}" if one.captured is None else one.captured for one in _locked(situation)
    }
    return {name: label for name, label in labels.items() if label}


def here_conda(situation: Situation) -> Mapping[str, str]:
    """What is in the image: as the run saw it, else as the lock says."""
    record = situation.here.record
    if record is not None and record.conda:
        return record.conda
    return {one.name: f"{one.version} {one.build}" for one in _locked(situation)}


def target_of(situation: Situation) -> str:
    """The platform that ran; the lock's first one where nothing did."""
    record = situation.here.record
    ran = _TARGETS.get(record.machine.get("architecture", "")) if record is not None else None
    return ran if ran in situation.lock.targets else situation.lock.targets[0]


def _locked(situation: Situation) -> list[CondaPackage]:
    target = target_of(situation)
    return [one for one in situation.lock.conda if one.target == target]


def _is_foreign(situation: Situation) -> bool:
    """Whether the image is of another platform than the laptop."""
    return any(one.captured is not None for one in _locked(situation))


def blas_pairs(situation: Situation) -> list[Pair]:
    """Packages whose build stands for another BLAS than the laptop's."""
    return [one for one in conda_pairs(situation) if None not in one.variants and one.variants[0] != one.variants[1]]


def brought_by(kind: str, packages: Mapping[str, str]) -> str:
    """`libopenblas 0.3.27 pthreads_h413a1c8_0`, which brings a BLAS of this kind; "" where no package does."""
    names = [name for name in sorted(packages) if brings_blas(name) == kind]
    return ", ".join(f"{name} {packages[name]}" for name in names)


def is_imported(situation: Situation, name: str) -> bool:
    """Whether the run imported a module of a conda package."""
    return f"{CONDA}{name}" in situation.lock.modules


def is_requested(situation: Situation, name: str) -> bool:
    """Whether somebody asked for a conda package."""
    return any(one.name == name and one.requested for one in situation.lock.conda)


def other_builds(situation: Situation) -> Iterator[Cause]:
    """The same versions, compiled otherwise: all of them at once, imported ones first."""
    blas = {one.name for one in blas_pairs(situation)}
    found = [one for one in conda_pairs(situation) if one.versions[0] == one.versions[1] and one.name not in blas]
    found.sort(key=lambda one: (not is_imported(situation, one.name), one.name))
    imported = [one.name for one in found if is_imported(situation, one.name)]
    sure = any(situation.found("packages"))
    if not found or (situation.only_failed and not sure):
        return
    names = imported or [one.name for one in found]
    be = "is another build" if len(names) == 1 else "are other builds"
    yield Cause(
        rule="conda-build",
        message=f"{listed(names)} {be} of the same version{', imported by the run' if imported else ''}",
        laptop=found[0].laptop or "",
        here=found[0].here or "",
        where=found[0].name,
        confidence=_confidence(situation, imported=bool(imported), sure=sure),
        fix="Build the image again from the lock with `repro build`." if sure else _of_platform(situation, found[0]),
        evidence=tuple(one.line for one in found[:_MOST]),
    )


def _confidence(situation: Situation, *, imported: bool, sure: bool) -> Literal["certain", "likely", "possible"]:
    if sure:
        return "certain"
    return "likely" if imported and (situation.only_rounding or not _is_foreign(situation)) else "possible"


def _of_platform(situation: Situation, first: Pair) -> str:
    """What to do about builds."""
    if _is_foreign(situation):
        return "Other platforms have other builds: capture on Linux, or allow the difference with a tolerance."
    pin = f"{first.name}={(first.here or '').replace(' ', '=')}"
    return f'Have the same builds on both sides: conda install "{pin}" on the laptop, and capture again.'
