"""Conda packages that aren't the laptop's: the BLAS first, then other versions, then other builds."""

from dataclasses import replace
from typing import Any

import pytest

from repro.lock import CondaPackage, Lock, Machine, NativeLibrary
from repro.plan.layers import packages as package_layers
from repro.plan.model import CondaLink
from repro.runner.documents import Failure, RunRecord
from repro.verify.causes import Side, Situation, explain
from repro.verify.model import Finding, Outcome
from tests.lock.samples import conda_package
from tests.verify.causes.situations import SETTINGS, first, here, moved, named, situation
from tests.verify.samples import good_record, sample_lock

ACCELERATE = "3.9.0 22_osxarm64_accelerate"
LIBBLAS = conda_package("libblas", "3.9.0", "22_linux64_openblas", captured=ACCELERATE)
OPENBLAS = conda_package("libopenblas", "0.3.27", "pthreads_h413a1c8_0", captured="")
PANDAS = conda_package("pandas", "2.2.1", "py311h320fe9a_0", requested=True)
ROUNDING = 0.5 + 1e-9


def lock_of(*packages: CondaPackage, **changes: Any) -> Lock:
    modules = {"conda:pandas": ("pandas",)} if any(one.name == "pandas" for one in packages) else {}
    return sample_lock(conda=packages, modules=modules, **changes)


def in_a_clone(*packages: CondaPackage, loss: float = ROUNDING, **changes: Any) -> Situation:
    """Nothing is known of the laptop but what the lock says."""
    lock = lock_of(*packages, **changes)
    found = situation(lock=lock, record=here(lock, settings={}), comparisons=moved(lock, loss=loss))
    return replace(found, laptop=Side())


def computed(lock: Lock, *libraries: tuple[str, str, str]) -> Lock:
    """The lock of a laptop that computed with these: name, file, version."""
    machine = lock.evidence.machine
    assert isinstance(machine, Machine)
    loaded = tuple(NativeLibrary(name, file, version, None, 4) for name, file, version in libraries)
    return replace(lock, evidence=replace(lock.evidence, machine=replace(machine, libraries=loaded)))


def with_libraries(record: RunRecord, *libraries: tuple[str, str, str]) -> RunRecord:
    loaded = tuple(
        {"name": name, "file": file, "version": version, "kernel": None, "threads": 4}
        for name, file, version in libraries
    )
    return replace(record, libraries=loaded)


def test_the_build_that_a_solver_chose_is_named_by_the_lock_alone() -> None:
    """Apple's Accelerate shows in no run: only the build string tells of it."""
    cause = first(in_a_clone(LIBBLAS, OPENBLAS))
    assert (cause.rule, cause.where, cause.confidence) == ("blas", "libblas", "likely")
    assert (cause.laptop, cause.here) == ("accelerate", "openblas")
    assert cause.evidence == (
        f"libblas: {ACCELERATE} on the laptop, 3.9.0 22_linux64_openblas in the image",
        "openblas in the image is brought by libopenblas 0.3.27 pthreads_h413a1c8_0",
    )
    assert 'conda install "libblas=*=*openblas"' in cause.fix


def test_the_blas_comes_before_versions_and_those_before_builds_of_what_was_imported() -> None:
    older = replace(PANDAS, captured="2.1.0 py311hfbe21a1_0")
    rebuilt = conda_package("zlib", "1.3", "h_1", captured="1.3 h_0")
    found = in_a_clone(rebuilt, LIBBLAS, replace(older, requested=False))
    assert named(found) == ["blas", "package-changed", "conda-build"]
    assert [one.confidence for one in explain(found)] == ["likely", "likely", "possible"]


def test_another_version_for_the_target_is_named_with_both_builds() -> None:
    cause = first(in_a_clone(replace(PANDAS, captured="2.1.0 py311hfbe21a1_0")))
    assert (cause.rule, cause.where, cause.laptop, cause.here) == (
        *("package-changed", "pandas", "2.1.0 py311hfbe21a1_0", "2.2.1 py311h320fe9a_0"),
    )
    assert cause.message == "pandas is another version (asked for, imported by the run)"
    assert 'conda install "pandas=2.2.1"' in cause.fix


def test_builds_of_another_platform_are_one_cause_and_imported_ones_its_first() -> None:
    others = [conda_package(f"lib{number}", captured="1.0 h_0") for number in range(30)]
    cause = first(in_a_clone(*others, replace(PANDAS, captured="2.2.1 py311hfbe21a1_0")))
    assert (cause.rule, cause.where, cause.confidence) == ("conda-build", "pandas", "likely")
    assert cause.message == "pandas is another build of the same version, imported by the run"
    assert len(cause.evidence) == 20
    assert cause.evidence[0].startswith("pandas: 2.2.1 py311hfbe21a1_0 on the laptop")


def test_what_only_one_platform_has_is_no_cause() -> None:
    assert named(in_a_clone(OPENBLAS)) == []


def test_packages_of_another_target_do_not_count() -> None:
    arm = replace(LIBBLAS, target="linux/arm64", subdir="linux-aarch64", build="22_linuxaarch64_openblas")
    lock = lock_of(arm, replace(LIBBLAS, captured=None), targets=("linux/amd64", "linux/arm64"))
    record = here(lock)
    ours = replace(record, conda={}, settings={}, machine={**record.machine, "architecture": "x86_64"})
    theirs = replace(ours, machine={**record.machine, "architecture": "aarch64"})
    told = [
        [one.rule for one in explain(replace(situation(lock=lock, record=one), laptop=Side())) if one.rule == "blas"]
        for one in (ours, theirs)
    ]
    assert told == [[], ["blas"]]


def test_both_runs_tell_more_than_the_lock() -> None:
    """The lock was captured anew with another BLAS, and the baseline is the old one's."""
    lock = lock_of(conda_package("libblas", "3.9.0", "20_linux64_mkl"), conda_package("mkl", "2024.1", "h_0"))
    laptop = good_record(
        lock, settings=SETTINGS, conda={"libblas": "3.9.0 22_linux64_openblas", "libopenblas": "0.3.27 h_0"}
    )
    found = situation(lock=lock, laptop=laptop, record=here(lock), comparisons=moved(lock, loss=ROUNDING))
    cause = next(one for one in explain(found) if one.rule == "blas")
    assert (cause.laptop, cause.here, cause.confidence) == ("openblas", "mkl", "likely")
    assert [one.rule for one in explain(found)] == ["blas", "package-removed", "package-added"]


@pytest.mark.parametrize(
    ("laptop", "image", "told"),
    [
        (("mkl", "libmkl_rt.so.2", "2024.1-Product"), ("openblas", "libopenblasp-r0.3.27.so", "0.3.27"), "openblas"),
        (("openblas", "libopenblasp-r0.3.27.so", "0.3.27"), ("mkl", "libmkl_rt.so.2", "2024.1-Product"), "mkl"),
        (("openblas", "libopenblas.0.dylib", "0.3.27"), ("blis", "libblis.so.4", "0.9.0"), "blis"),
    ],
)
def test_libraries_that_ran_are_told_with_the_packages_that_brought_them(
    laptop: tuple[str, str, str], image: tuple[str, str, str], told: str
) -> None:
    builds = {"openblas": "22_linux64_openblas", "mkl": "20_linux64_mkl", "blis": "9_linux64_blis"}
    brings = {"openblas": "libopenblas", "mkl": "mkl", "blis": "blis"}
    libblas = conda_package("libblas", "3.9.0", builds[told], captured=f"3.9.0 {builds[laptop[0]]}")
    lock = computed(lock_of(libblas, conda_package(brings[told], "1.2", "h_3")), laptop)
    record = with_libraries(here(lock), image)
    found = replace(situation(lock=lock, record=record, comparisons=moved(lock, loss=ROUNDING)), laptop=Side())
    (cause,) = (one for one in explain(found) if one.rule == "blas")
    assert (cause.where, cause.laptop) == (laptop[1], f"{laptop[0]} {laptop[2]}")
    assert cause.evidence[-1] == f"{told} in the image is brought by {brings[told]} 1.2 h_3"
    assert f'"libblas=*=*{told}"' in cause.fix


def test_a_library_that_a_wheel_carries_is_none_of_condas() -> None:
    lock = computed(lock_of(OPENBLAS), ("openblas", "libscipy_openblas64_-99b71e71.so", "0.3.26"))
    record = with_libraries(here(lock), ("openblas", "libscipy_openblas64_-99b71e71.so", "0.3.27"))
    cause = first(situation(lock=lock, record=record, comparisons=moved(lock, loss=ROUNDING)))
    assert (cause.rule, cause.evidence) == ("blas", ())


def test_what_came_with_a_conda_package_is_told_once() -> None:
    lock = lock_of(PANDAS)
    brought = {"pandas": "pandas"}
    laptop = good_record(lock, settings=SETTINGS, conda={"pandas": "2.1.0 py311_0"}, brought=brought)
    laptop = replace(laptop, packages={**laptop.packages, "pandas": "2.1.0"})
    record = here(lock, brought=brought)
    record = replace(record, packages={**record.packages, "pandas": "2.2.1"})
    found = situation(lock=lock, laptop=laptop, record=record)
    assert [(one.rule, one.where, one.laptop) for one in explain(found)] == [
        ("package-changed", "pandas", "2.1.0 py311_0")
    ]


def refused(*evidence: str, lock: Lock) -> Situation:
    finding = Finding("packages", "error", "not the locked one", evidence)
    found = situation(lock=lock, findings=[finding], outcome=Outcome.TAMPERED, comparisons=())
    return replace(found, laptop=Side())


def test_an_image_with_another_build_than_the_lock_is_certain() -> None:
    lock = lock_of(PANDAS, OPENBLAS)
    line = "conda:pandas: 2.2.1 py311h320fe9a_0 in the lock, 2.2.1 py311h320fe9a_1 in the image"
    gone = "conda:libopenblas: 0.3.27 pthreads_h413a1c8_0 in the lock, not in the image"
    other = "six: 1.0 in the lock, 2.0 in the image"
    found = {one.rule: one for one in explain(refused(line, gone, other, lock=lock))}
    assert found["conda-build"].confidence == "certain"
    assert found["conda-build"].fix == "Build the image again from the lock with `repro build`."
    assert found["package-changed"].where == "six"
    assert found["package-changed"].confidence == "certain"


def test_what_merely_moves_numbers_makes_nothing_fail() -> None:
    found = in_a_clone(LIBBLAS, replace(PANDAS, captured="2.2.1 h_0"))
    record = found.here.record
    assert record is not None
    failed = replace(
        found,
        here=Side(replace(record, failure=Failure("cell", "ValueError: no"), metrics=())),
        comparisons=(),
        outcome=Outcome.EVALUATION_FAILED,
    )
    assert named(failed) == []


def layered(*layers: str, **changes: Any) -> Situation:
    finding = Finding("layers", "error", "other layers", tuple(f"changed or missing: {name}" for name in layers))
    lock = lock_of(replace(PANDAS, size=5 << 20), conda_package("zlib"), conda_package("xz"))
    found = situation(lock=lock, findings=[finding], outcome=Outcome.TAMPERED, comparisons=(), **changes)
    return replace(found, here=Side(), laptop=Side())


def test_layers_of_conda_packages_name_what_is_in_them() -> None:
    assert [(one.rule, one.where) for one in explain(layered("conda-pandas"))] == [("package-modified", "pandas")]
    groups = {layer.name: layer for layer in package_layers(layered().lock, "linux/amd64")}
    name = next(one for one in groups if one.startswith("condas-"))
    held = [item.package.name for item in groups[name].items if isinstance(item, CondaLink)]
    cause = first(layered(name))
    assert (cause.rule, cause.where, list(cause.evidence)) == ("package-modified", name, held)
    known = explain(layered(name, modified=(f"{held[0]}: lib/x.so",)))
    assert [(one.where, one.evidence) for one in known] == [(held[0], ("lib/x.so",))]
