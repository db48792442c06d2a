"""Factor `blas`."""

from dataclasses import replace

from repro.lock import CondaPackage
from repro.proof.factors import FACTORS
from repro.proof.factors.model import Scene
from tests.lock.samples import conda_package
from tests.proof.factors.scenes import reason, scene


def with_conda(*packages: CondaPackage) -> Scene:
    usual = scene()
    return replace(usual, situation=replace(usual.situation, lock=replace(usual.situation.lock, conda=packages)))


def test_another_blas_than_the_laptops_is_told_and_not_swapped() -> None:
    names = ("libblas", "libcblas")
    found = (conda_package(one, "3.9.0", "22_openblas", captured="3.9.0 22_accelerate") for one in names)
    told = reason(with_conda(*found), "blas")
    assert told.startswith("accelerate on the laptop, openblas here: that is other packages")
    assert "`repro bisect`" in told


def test_the_same_blas_is_not_mentioned() -> None:
    where = with_conda(conda_package("libblas", "3.9.0", "22_openblas", captured="3.9.0 21_openblas"))
    assert [one.factor for rule in FACTORS for one in rule(where) if one.factor == "blas"] == []
