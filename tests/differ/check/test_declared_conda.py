"""Files that declare conda packages against those of a lock: no environment is needed."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.differ.check.locked_conda import distributions, locked_conda
from repro.export import conda_lock
from repro.lock import Lock
from tests.differ import projects
from tests.differ.check.test_check import found, look, stale
from tests.export.conda_locks import AMD, built
from tests.lock.samples import conda_package


def conda_project() -> Lock:
    """Python, a BLAS and two Python packages by conda; click by pip."""
    lock = projects.lock()
    conda = (
        built("python", lock.python.version, "h_cpython"),
        built("libblas", "3.9.0", "20_openblas"),
        built("numpy", "1.26.4", "py311h_0", "libblas", "python >=3.11,<3.12.0a0"),
        built("pytorch", "2.3.1", "cpu_0", "python"),
    )
    modules = {"conda:numpy": ("numpy", "numpy.linalg"), "conda:pytorch": ("torch",)}
    click = tuple(one for one in projects.packages() if one.name == "click")
    python = replace(lock.python, supply="conda", packed=None)
    return replace(lock, targets=(AMD,), conda=conda, packages=click, modules=modules, python=python)


def test_a_lock_of_conda_lock_that_says_the_same_is_true(tmp_path: Path) -> None:
    path = projects.write(tmp_path, conda_project())
    (tmp_path / "conda-lock.yml").write_text(conda_lock(conda_project()), encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("numpy>=1.26\ntorch\n", encoding="utf-8")
    report = look(path)
    assert stale(report) == {}
    [item] = [one for one in report.items if one.name == "requirements"]
    assert item.what == "requirements.txt, conda-lock.yml"
    assert item.findings == ()


def test_other_builds_versions_and_what_is_not_locked_are_stale(tmp_path: Path) -> None:
    path = projects.write(tmp_path, conda_project())
    lines = "  - libblas=3.9.0=*mkl\n  - numpy=2\n  - cudatoolkit\n"
    (tmp_path / "environment.yml").write_text(f"dependencies:\n{lines}", encoding="utf-8")
    report = look(path)
    assert stale(report) == {"requirements": ["libblas", "numpy", "cudatoolkit"]}
    assert [one.what for one in found(report, "requirements")] == [
        "libblas 3.9.0=*mkl is declared, 3.9.0=20_openblas is locked",
        "numpy 2 is declared, 1.26.4 is locked",
        "cudatoolkit is declared but not locked",
    ]


@pytest.mark.parametrize(("laptop", "blas", "gcc"), [(False, "20_openblas", True), (True, "20_accelerate", False)])
def test_what_was_solved_for_another_platform_is_compared_as_the_laptop_had_it(
    laptop: bool,
    blas: str,
    gcc: bool,
) -> None:
    packages = (
        conda_package("libblas", "3.9.0", "20_openblas", captured="3.9.0 20_accelerate"),
        conda_package("libgcc", captured=""),
        conda_package("numpy"),
    )
    lock = replace(projects.lock(), targets=(AMD,), conda=packages)
    there = locked_conda(lock, laptop=laptop)
    assert there["libblas"].build == blas
    assert ("libgcc" in there) is gcc
    assert there["numpy"] == packages[2]


def test_python_packages_of_conda_are_known_by_their_modules_too() -> None:
    assert [(one.name, one.version) for one in distributions(conda_project())] == [
        ("numpy", "1.26.4"),
        ("pytorch", "2.3.1"),
        ("torch", "2.3.1"),
    ]
