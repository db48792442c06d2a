"""What differs between two locks, and the locks between them."""

from dataclasses import replace

import pytest

from repro.errors import UsageError
from repro.lock import CondaPackage, Lock, Package, parse_lock
from repro.plan import make_plan, runner_digest, runner_sources
from repro.proof.changes import PLATFORM, beside_packages, changes_between, common_target, mixed_lock
from tests.builders import projects
from tests.lock.samples import conda_package, digest, package

TARGET = "linux/amd64"
INSTALLER = package("installer")


def lock_of(*packages: Package, **changes: object) -> Lock:
    lock = projects.make_lock(projects.NO_IMAGE, INSTALLER, packages=packages)
    return replace(lock, **changes)  # type: ignore[arg-type]


ONE = lock_of(package("numpy", "1.26.4"), package("scipy", "1.11.0"), package("old", "1.0"), package("six", "1.16.0"))
OTHER = lock_of(package("numpy", "2.1.0"), package("scipy", "1.11.4"), package("new", "0.1"), package("six", "1.16.0"))


def test_each_change_is_named_large_steps_first() -> None:
    assert [str(change) for change in changes_between(ONE, OTHER, TARGET)] == [
        "numpy 1.26.4 → 2.1.0",
        "scipy 1.11.0 → 1.11.4",
        "new 0.1 (added)",
        "old 1.0 (removed)",
    ]


def with_conda(*packages: CondaPackage, **changes: object) -> Lock:
    return lock_of(conda=packages, **changes)


def test_conda_packages_are_changes_of_their_own_the_blas_first() -> None:
    blas = conda_package("libblas", "3.9.0", "22_linux64_openblas")
    zlib = conda_package("zlib", "1.3", "h_0")
    one = with_conda(blas, zlib, conda_package("numpy", "1.26.4"), conda_package("old"), conda_package("same"))
    other = with_conda(
        replace(blas, build="20_linux64_mkl"),
        replace(zlib, sha256=digest("rebuilt")),
        conda_package("numpy", "2.0.0"),
        conda_package("new", "0.1"),
        replace(conda_package("same"), channel="elsewhere", url=None),
    )
    assert [str(change) for change in changes_between(one, other, TARGET)] == [
        "conda:libblas 3.9.0 22_linux64_openblas → 3.9.0 20_linux64_mkl",
        "conda:numpy 1.26.4 py311h1_0 → 2.0.0 py311h1_0",
        "conda:new 0.1 py311h1_0 (added)",
        "conda:old 1.0 py311h1_0 (removed)",
        "conda:zlib 1.3 h_0 (the same, with other files)",
    ]


def test_a_mixture_has_the_chosen_conda_packages_of_b() -> None:
    one = with_conda(conda_package("numpy", "1.26.4"), conda_package("old"))
    other = with_conda(conda_package("numpy", "2.0.0"), conda_package("new"))
    mixed, body = mixed_lock(one, other, {"conda:numpy", "conda:new"}, TARGET)
    assert [(package.name, package.version) for package in mixed.conda] == [
        *(("new", "1.0"), ("numpy", "2.0.0"), ("old", "1.0")),
    ]
    assert parse_lock(body).conda == mixed.conda
    assert mixed_lock(one, other, {"numpy"}, TARGET)[0].conda == one.conda


def test_condas_python_comes_with_the_platform() -> None:
    one = with_conda(conda_package("python", "3.11.7"), conda_package("six"))
    other = with_conda(conda_package("python", "3.11.8"), conda_package("six"))
    (change,) = changes_between(one, other, TARGET)
    assert change.name == PLATFORM
    assert mixed_lock(one, other, {PLATFORM}, TARGET)[0].conda == other.conda


def test_other_bytes_under_the_same_version_are_a_change() -> None:
    rebuilt = package("six", "1.16.0")
    rebuilt = replace(rebuilt, files=(replace(rebuilt.files[0], sha256=digest("rebuilt")),))
    found = changes_between(lock_of(package("six", "1.16.0")), lock_of(rebuilt), TARGET)
    assert [str(change) for change in found] == ["six 1.16.0 (the same, with other files)"]


def test_another_python_or_base_is_one_change_more() -> None:
    other = replace(OTHER, base=replace(OTHER.base, digest=digest("other base")))
    assert changes_between(ONE, other, TARGET)[0].name == PLATFORM
    mixed, _ = mixed_lock(ONE, other, {PLATFORM}, TARGET)
    assert mixed.base == other.base
    assert versions(mixed) == versions(ONE)


def versions(lock: Lock) -> dict[str, str]:
    return {one.name: one.version for one in lock.packages}


def test_a_mixture_has_the_chosen_packages_of_b_and_all_else_of_a() -> None:
    mixed, body = mixed_lock(ONE, OTHER, {"numpy", "old", "new"}, TARGET)
    assert versions(mixed) == {"numpy": "2.1.0", "scipy": "1.11.0", "new": "0.1", "six": "1.16.0"}
    assert mixed.metrics == ONE.metrics
    assert parse_lock(body).packages == mixed.packages


def test_with_no_change_it_is_a_and_with_every_change_b() -> None:
    every = {change.name for change in changes_between(ONE, OTHER, TARGET)}
    assert versions(mixed_lock(ONE, OTHER, set(), TARGET)[0]) == versions(ONE)
    assert versions(mixed_lock(ONE, OTHER, every, TARGET)[0]) == versions(OTHER)


def test_locks_of_another_repro_can_be_searched_with_this_ones_runner() -> None:
    """Both ends of every comparison run under the same runner, whichever the locks pin."""
    older = replace(ONE, runner=replace(ONE.runner, version="0.0.9", sha256=digest("older runner")))
    mixed, body = mixed_lock(older, OTHER, set(), TARGET)
    assert mixed.runner.sha256 == runner_digest(runner_sources())
    assert make_plan(mixed, body, runner_sources()).target == TARGET


def test_what_stays_as_in_a_is_told() -> None:
    data = projects.locked("data/x.csv", b"1\n", "data")
    one = replace(ONE, files=(data, projects.locked("evaluate.py", b"a")))
    other = replace(OTHER, files=(data, projects.locked("evaluate.py", b"b")))
    other = replace(other, environment=replace(other.environment, threads=8))
    assert beside_packages(one, other) == (
        "code evaluate.py",
        "the environment (threads, locale, time zone, variables)",
    )


def test_a_lock_for_another_platform_is_refused() -> None:
    with pytest.raises(UsageError, match="is for linux/arm64; the engine runs linux/amd64"):
        common_target(ONE, replace(OTHER, targets=("linux/arm64",)), TARGET)
