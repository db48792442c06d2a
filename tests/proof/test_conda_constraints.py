"""Which conda packages can't be changed without which, by what they depend on."""

from dataclasses import replace

import pytest
from packaging.requirements import Requirement

from repro.lock import CondaPackage, Lock
from repro.proof.changes import PLATFORM, changes_between
from repro.proof.conda_constraints import conda_implied
from repro.proof.constraints import Installed, implied
from tests.builders import projects
from tests.lock.samples import conda_package, package

TARGET = "linux/amd64"
INSTALLER = package("installer")


def lock_of(*conda: CondaPackage, **changes: object) -> Lock:
    lock = projects.make_lock(projects.NO_IMAGE, INSTALLER, packages=())
    return replace(lock, conda=conda, **changes)  # type: ignore[arg-type]


def needs(one: Lock, other: Lock) -> set[tuple[str, str]]:
    return set(conda_implied(changes_between(one, other, TARGET), one, other, TARGET))


def needing(name: str, version: str, *depends: str, build: str = "h_0") -> CondaPackage:
    return conda_package(name, version, build, depends=depends)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("numpy >=1.19,<2.0a0",), ("numpy >=2.0,<3",), {("a", "numpy"), ("numpy", "a")}),
        (("numpy >=1.19,<2.0a0",), ("numpy >=1.19",), {("numpy", "a")}),
        (("numpy >=1.19",), ("conda-forge::numpy 2.0.* *_1",), {("a", "numpy")}),
        (("numpy",), ("numpy",), set()),
        (("numpy[build=x]",), ("numpy 2.0.0 h_1",), {("a", "numpy")}),
        (("numpy >=7",), ("numpy >=7",), set()),  # it breaks that itself
    ],
)
def test_dependencies_that_only_one_side_meets_bind(
    old: tuple[str, ...], new: tuple[str, ...], expected: set[tuple[str, str]]
) -> None:
    one = lock_of(needing("a", "1.0", *old), needing("numpy", "1.26.4"))
    other = lock_of(needing("a", "2.0", *new), needing("numpy", "2.0.0", build="h_1"))
    assert needs(one, other) == {(f"conda:{name}", f"conda:{with_it}") for name, with_it in expected}


def test_a_build_for_another_python_comes_with_it() -> None:
    one = lock_of(needing("python", "3.11.7"), needing("numpy", "1.26.4", "python >=3.11,<3.12.0a0"))
    other = lock_of(needing("python", "3.12.1"), needing("numpy", "1.26.4", "python >=3.12,<3.13.0a0", build="h_1"))
    assert needs(one, other) == {("conda:numpy", PLATFORM), (PLATFORM, "conda:numpy")}


def test_a_wheel_over_a_conda_package_is_changed_with_it() -> None:
    one = lock_of(needing("six", "1.15"), packages=(package("six", "1.16"),))
    other = lock_of(needing("six", "1.16"), packages=(package("six", "1.17"),))
    assert needs(one, other) == {("six", "conda:six"), ("conda:six", "six")}


def test_an_environment_of_conda_comes_as_a_whole_where_the_other_one_is_none() -> None:
    one = lock_of()
    python = replace(one.python, supply="conda", packed=None)
    other = lock_of(needing("python", "3.11.7"), needing("numpy", "1.26.4"), python=python)
    assert needs(one, other) == {("conda:numpy", PLATFORM), (PLATFORM, "conda:numpy")}


def test_a_wheel_may_need_what_a_conda_package_brings() -> None:
    before = {"app": Installed("1", (Requirement("numpy<2"),)), "conda:numpy": Installed("1.26.4")}
    after = {"app": Installed("2", (Requirement("numpy>=2"),)), "conda:numpy": Installed("2.0.0")}
    one, other = lock_of(needing("numpy", "1.26.4")), lock_of(needing("numpy", "2.0.0"))
    changes = [*changes_between(one, other, TARGET), *changes_between(*wheels("1", "2"), TARGET)]
    assert implied(changes, (before, after), (11, 11)) == {"app": {"conda:numpy"}, "conda:numpy": {"app"}}
    strange = {**after, "conda:numpy": Installed("9e")}  # no version as Python packages have it
    assert implied(changes, (before, strange), (11, 11))["app"] == set()


def wheels(one: str, other: str) -> tuple[Lock, Lock]:
    return lock_of(packages=(package("app", one),)), lock_of(packages=(package("app", other),))
