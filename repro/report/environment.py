"""What surrounded both runs: the laptop's, as the lock has it, beside the one that was judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.capture.machine import machine_of
from repro.conda.blas import blas_variant
from repro.lock import Lock, Machine, NativeLibrary
from repro.report.dossier import Dossier
from repro.report.style import human_size
from repro.runner.documents import RunRecord
from repro.words import few

_UNKNOWN = frozenset({"", "unknown", "0"})
_UNSET = "not set"
_MOST = 12


@dataclass(frozen=True, slots=True)
class Surrounding:
    """One thing that surrounds a run.

    Attributes:
        name: What it is.
        laptop: There, "" where unknown.
        here: In this run, "" where unknown.
    """

    name: str
    laptop: str
    here: str

    @property
    def differs(self) -> bool:
        """Whether both are known and not the same."""
        return bool(self.laptop and self.here) and self.laptop != self.here


def surroundings(dossier: Dossier) -> list[Surrounding]:
    """Everything that is known of either side, what differs first."""
    if dossier.lock is None or dossier.verdict.run is None:
        return []
    record = dossier.record or RunRecord(machine=dict(dossier.verdict.run.machine))
    lines = [
        Surrounding("Python", dossier.lock.python.version, dossier.verdict.run.python_version),
        *_machines(dossier.lock.evidence.machine, _machine(record)),
        *_packages(dossier.lock, dossier.verdict.image.platform if dossier.verdict.image else "", record),
        *_settings(dossier, record),
    ]
    known = [line for line in lines if line.laptop or line.here]
    return sorted(known, key=lambda line: not line.differs)


def _machine(record: RunRecord) -> Machine | None:
    """The machine, as far as the record can be believed to describe one."""
    try:
        return machine_of(record)
    except (ValueError, KeyError, TypeError):
        return None


def _machines(laptop: Machine | None, here: Machine | None) -> Iterator[Surrounding]:
    there, now = _facts(laptop), _facts(here)
    for name in dict.fromkeys((*there, *now)):
        yield Surrounding(name, there.get(name, ""), now.get(name, ""))
    if laptop and here and laptop.features and here.features:
        yield Surrounding("instruction sets", *_only(laptop.features, here.features))


def _facts(machine: Machine | None) -> dict[str, str]:
    if machine is None:
        return {}
    facts = {
        "system": machine.system,
        "kernel": machine.kernel,
        "architecture": machine.architecture,
        "C library": machine.libc or "",
        "processor": machine.processor,
        "CPUs": str(machine.cpus),
        "GPUs": ", ".join(machine.gpus),
        "GPU driver": machine.driver or "",
        "CUDA": machine.cuda or "",
        **{f"library {one.name}, {one.file}": _library(one) for one in machine.libraries},
    }
    return {name: value for name, value in facts.items() if value not in _UNKNOWN}


def _library(one: NativeLibrary) -> str:
    parts = (one.version or "", f"kernel {one.kernel}" if one.kernel else "", f"{one.threads} threads")
    return ", ".join(part for part in parts if part)


def _only(laptop: Sequence[str], here: Sequence[str]) -> tuple[str, str]:
    """Of two long lists what the other lacks; the same text where they are the same."""
    if set(laptop) == set(here):
        return (f"the same {len(laptop)}",) * 2
    return _listed(sorted(set(laptop) - set(here))), _listed(sorted(set(here) - set(laptop)))


def _listed(names: Sequence[str]) -> str:
    return f"besides: {few(names, _MOST)}" if names else "no others"


def _packages(lock: Lock, target: str, record: RunRecord) -> Iterator[Surrounding]:
    """Packages of another version, and how many are the same; what came with a conda package is told as that."""
    locked = {
        package.name: package.version
        for package in lock.packages
        if any(target in file.targets for file in package.files)
    }
    brought = record.brought.keys() - locked.keys() if lock.conda else set[str]()
    yield from _differing("package", locked, {k: v for k, v in record.packages.items() if k not in brought})
    conda = [one for one in lock.conda if one.target == target]
    laptop = {one.name: f"{one.version} {one.build}" if one.captured is None else one.captured for one in conda}
    if conda:
        yield from _conda({name: label or "none" for name, label in laptop.items()}, record.conda)


def _conda(laptop: Mapping[str, str], here: Mapping[str, str]) -> Iterator[Surrounding]:
    """Another version or BLAS by name; other platforms have other builds of nearly all."""
    builds = [name for name in sorted(laptop) if name in here and _is_build(name, laptop[name], here[name])]
    yield from _differing("conda package", laptop, {**here, **{name: laptop[name] for name in builds if here}})
    if builds:
        yield Surrounding("conda builds", _labelled(builds, laptop), _labelled(builds, here))


def _is_build(name: str, laptop: str, here: str) -> bool:
    versions, builds = zip(laptop.partition(" ")[::2], here.partition(" ")[::2], strict=True)
    return (
        versions[0] == versions[1] and builds[0] != builds[1] and len({blas_variant(name, one) for one in builds}) == 1
    )


def _labelled(names: Sequence[str], labels: Mapping[str, str]) -> str:
    return few([f"{name} {labels[name]}" for name in names], _MOST)


def _differing(kind: str, laptop: Mapping[str, str], here: Mapping[str, str]) -> Iterator[Surrounding]:
    if not here:
        return
    names = sorted(laptop.keys() | here.keys())
    other = [name for name in names if laptop.get(name) != here.get(name)]
    if len(names) > len(other):
        yield Surrounding(f"{kind}s", *(f"{len(names) - len(other)} of the same version",) * 2)
    for name in other:
        yield Surrounding(f"{kind} {name}", laptop.get(name, "none"), here.get(name, "none"))


def _settings(dossier: Dossier, record: RunRecord) -> Iterator[Surrounding]:
    """How both interpreters were set: as they said, else as the lock sets the image's."""
    there = dict(dossier.laptop_record.settings) if dossier.laptop_record else {}
    if dossier.lock:
        environment = dossier.lock.environment
        wanted = {"TZ": environment.timezone, "LC_ALL": environment.locale, **environment.variables}
        there = {**{f"${name}": value for name, value in wanted.items()}, **there}
    said = bool(dossier.laptop_record and dossier.laptop_record.settings), bool(record.settings)
    for name in dict.fromkeys((*there, *record.settings)):
        unset = [_UNSET if known and name.startswith("$") else "" for known in said]
        told = f"variable {name[1:]}" if name.startswith("$") else name
        yield Surrounding(told, there.get(name, unset[0]), record.settings.get(name, unset[1]))
    limit = record.machine.get("memory_limit", "")
    yield Surrounding("memory limit", "", human_size(int(limit)) if limit.isdecimal() else "")
