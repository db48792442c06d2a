"""Scenes that rules for factors look at: a laptop's run and one here, equal but for what a test says."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from repro.lock import Evidence, Lock, Machine, NativeLibrary, Package
from repro.proof.factors import FACTORS
from repro.proof.factors.model import LeftOut, Scene, Swap
from repro.runner.documents import RunRecord
from repro.runner.observed import Listing, Observed
from repro.verify.causes.situation import Side, Situation
from repro.verify.model import Outcome
from tests.builders import projects
from tests.lock.samples import package

SETTINGS = {
    "hash seed": "0",
    "$TZ": "UTC",
    "time zone": "UTC +0000, UTC +0000",
    "$LC_ALL": "C.UTF-8",
    "locale": "C.UTF-8",
}
FEATURES = ("avx", "avx2", "fma", "sse4_2")
AVX512 = ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")


def library(name: str = "openblas", kernel: str | None = "Haswell", threads: int = 4) -> NativeLibrary:
    return NativeLibrary(name, f"lib{name}.so", "0.3.27", kernel, threads)


def scene(
    *,
    laptop: Mapping[str, str] | None = None,
    here: Mapping[str, str] | None = None,
    libraries: tuple[tuple[NativeLibrary, ...], tuple[NativeLibrary, ...]] = ((), ()),
    features: tuple[tuple[str, ...], tuple[str, ...]] = (FEATURES, FEATURES),
    cpus: tuple[int, int] = (4, 4),
    listings: tuple[tuple[Listing, ...], tuple[Listing, ...]] | None = None,
    packages: tuple[Package, ...] = (),
    sources: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Scene:
    """Two runs; settings are on top of equal ones, of pairs the laptop's comes first."""
    machine = Machine("Debian", "6.1", "x86_64", "glibc 2.36", "CPU", features[0], cpus[0], libraries=libraries[0])
    return Scene(
        Situation(
            lock=lock_of(machine, packages),
            outcome=Outcome.MISMATCH,
            laptop=Side(record({**SETTINGS, **(laptop or {})}, features[0], cpus[0], libraries[0]), seen(listings, 0)),
            here=Side(record({**SETTINGS, **(here or {})}, features[1], cpus[1], libraries[1]), seen(listings, 1)),
            sources=sources or {},
        ),
        project,
    )


def lock_of(machine: Machine, packages: tuple[Package, ...]) -> Lock:
    lock = projects.make_lock(projects.NO_IMAGE, package("installer"), packages=packages)
    return replace(lock, evidence=Evidence(machine=machine))


def record(
    settings: Mapping[str, str], features: tuple[str, ...], cpus: int, libraries: tuple[NativeLibrary, ...]
) -> RunRecord:
    found: tuple[dict[str, Any], ...] = tuple(
        {"name": one.name, "file": one.file, "kernel": one.kernel, "threads": one.threads} for one in libraries
    )
    return RunRecord(
        settings=dict(settings), machine={"features": " ".join(features), "cpus": str(cpus)}, libraries=found
    )


def seen(listings: tuple[tuple[Listing, ...], tuple[Listing, ...]] | None, side: int) -> Observed | None:
    return None if listings is None else Observed(listings=listings[side])


def found(where: Scene, factor: str) -> Swap | LeftOut:
    """The one thing that the list of factors says of one of them."""
    (one,) = [one for rule in FACTORS for one in rule(where) if one.factor == factor]
    return one


def swap(where: Scene, factor: str) -> Swap:
    """The swap of a factor; no other one may be found to differ."""
    swaps = [one for rule in FACTORS for one in rule(where) if isinstance(one, Swap)]
    assert [one.factor for one in swaps] == [factor]
    return swaps[0]


def environments(one: Swap) -> tuple[dict[str, str], dict[str, str]]:
    return one.laptop.experiment.environment, one.here.experiment.environment


def reason(where: Scene, factor: str) -> str:
    one = found(where, factor)
    assert isinstance(one, LeftOut)
    return one.reason
