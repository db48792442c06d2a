"""The laptop's surroundings beside those of the run."""

from dataclasses import replace

from repro.report.dossier import Dossier
from repro.report.environment import surroundings
from repro.verify.model import ImageSummary
from tests.lock.samples import conda_package
from tests.report.samples import RUN, VERDICTS
from tests.verify.samples import good_record, sample_lock

LOCK = sample_lock()
MACHINE = {
    "cpus": "2",
    "processor": "Intel Xeon",
    "features": "avx avx2",
    "glibc": "2.36",
    "memory_limit": "4000000000",
}


def table(dossier: Dossier) -> dict[str, tuple[str, str, bool]]:
    return {line.name: (line.laptop, line.here, line.differs) for line in surroundings(dossier)}


def dossier(**record: object) -> Dossier:
    verdict = replace(VERDICTS["explained"], image=ImageSummary("x", "sha256:0", platform=LOCK.targets[0]))
    return Dossier(verdict, LOCK, good_record(LOCK, **record))


def test_what_differs_comes_first() -> None:
    lines = surroundings(dossier(machine=MACHINE))
    assert [line.differs for line in lines] == sorted((line.differs for line in lines), reverse=True)
    found = table(dossier(machine=MACHINE))
    assert found["CPUs"] == ("4", "2", True)
    assert found["memory limit"] == ("", "4.0 GB", False)
    assert found["instruction sets"][2]
    assert found["Python"] == (LOCK.python.version, RUN.python_version, LOCK.python.version != RUN.python_version)


def test_packages_of_another_version_are_named() -> None:
    packages = {package.name: package.version for package in LOCK.packages}
    name = next(
        package.name for package in LOCK.packages if any(LOCK.targets[0] in one.targets for one in package.files)
    )
    found = table(dossier(packages={**packages, name: "0.0.1", "more": "1"}))
    assert found[f"package {name}"] == (packages[name], "0.0.1", True)
    assert found["package more"] == ("none", "1", True)


def test_conda_packages_are_told_by_version_and_blas_and_mere_builds_together() -> None:
    lock = replace(
        LOCK,
        packages=(),
        conda=(
            conda_package("libblas", "3.9.0", "22_linux64_openblas", captured="3.9.0 22_osxarm64_accelerate"),
            conda_package("libgcc", "14", "h_0", captured=""),
            conda_package("numpy", "1.26.4", "py311_0", captured="1.26.4 py311_7"),
            conda_package("pandas", "2.2.2", "py311_0", captured="2.2.1 py311_7"),
            conda_package("tzdata", "2024a", "h_0"),
        ),
    )
    here = replace(dossier(), lock=lock)
    record = good_record(lock, packages={"numpy": "1.26.4"}, brought={"numpy": "numpy"})
    found = table(replace(here, record=record))
    assert {name: found[name][:2] for name in found if name.startswith(("package", "conda"))} == {
        "conda packages": ("2 of the same version",) * 2,
        "conda builds": ("numpy 1.26.4 py311_7", "numpy 1.26.4 py311_0"),
        "conda package libblas": ("3.9.0 22_osxarm64_accelerate", "3.9.0 22_linux64_openblas"),
        "conda package libgcc": ("none", "14 h_0"),
        "conda package pandas": ("2.2.1 py311_7", "2.2.2 py311_0"),
    }


def test_settings_come_from_both_runs_else_from_the_lock() -> None:
    here = dossier(settings={"optimize": "0", "$TZ": "UTC"})
    found = table(here)
    assert found["optimize"] == ("", "0", False)
    assert found["variable TZ"] == (LOCK.environment.timezone, "UTC", LOCK.environment.timezone != "UTC")
    both = table(replace(here, laptop_record=good_record(LOCK, settings={"optimize": "1", "$OMP_DYNAMIC": "0"})))
    assert both["optimize"] == ("1", "0", True)
    assert both["variable OMP_DYNAMIC"] == ("0", "not set", True)


def test_a_machine_that_is_no_machine_is_not_known() -> None:
    assert table(dossier(machine={"cpus": "many"}))["CPUs"] == ("4", "", False)
    assert table(dossier(libraries=({"x": 1},)))["CPUs"] == ("4", "", False)


def test_nothing_is_told_without_a_lock_or_a_run() -> None:
    assert surroundings(Dossier(VERDICTS["explained"])) == []
    assert surroundings(Dossier(VERDICTS["tampered"], LOCK)) == []


def test_without_a_record_the_verdict_tells_of_the_machine() -> None:
    assert table(Dossier(VERDICTS["explained"], LOCK))["CPUs"] == ("4", "2", True)
