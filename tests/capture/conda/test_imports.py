"""What a run imported from a conda environment: whose modules they are, and whether they are as conda brought them."""

from pathlib import Path

import pytest

from repro.capture.loose import loose_packages
from repro.capture.modules import imported_modules, locked_modules
from repro.capture.ownership import check_imports
from repro.capture.startup import startup_warnings
from repro.errors import UsageError
from repro.lock import CondaPackage
from repro.runner.trace import Trace
from repro.store import ObjectStore
from tests.capture.conda.laptop import SITE, Laptop
from tests.lock.samples import conda_package, package


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    made = Laptop(tmp_path)
    made.install("tzlib", {f"{SITE}/tzlib/__init__.py": "", f"{SITE}/tzlib.pth": "import tzlib\n"})
    made.install_python("numpy", "1.26.4", {"numpy/__init__.py": "", "numpy/core.cpython-311-x86_64-linux-gnu.so": ""})
    return made


def trace(laptop: Laptop, *paths: str) -> Trace:
    return Trace(reads={}, modules={str(number): str(laptop.prefix / path) for number, path in enumerate(paths)})


def problems(laptop: Laptop, path: str, *published: str) -> tuple[str, ...]:
    return check_imports({"m": str(laptop.prefix / path)}, laptop.interpreter(), published)


def test_modules_are_told_by_conda_package_with_or_without_metadata(laptop: Laptop) -> None:
    laptop.pip("click", "8.1.7", {"click/__init__.py": ""})
    names = [
        "tzlib/__init__.py",
        "numpy/__init__.py",
        "numpy/core.cpython-311-x86_64-linux-gnu.so",
        "click/__init__.py",
    ]
    run = trace(laptop, "lib/python3.11/os.py", *(f"{SITE}/{name}" for name in names))
    assert imported_modules(run, laptop.interpreter(), library=True) == {
        "conda:tzlib": ("tzlib",),
        "conda:numpy": ("numpy", "numpy.core"),
        "click": ("click",),
        "python": ("os",),
    }


def test_what_pip_put_over_conda_is_pips(laptop: Laptop) -> None:
    laptop.pip("numpy", "2.0.1", {"numpy/__init__.py": "new"})
    run = trace(laptop, f"{SITE}/numpy/__init__.py")
    assert imported_modules(run, laptop.interpreter(), library=False) == {"numpy": ("numpy",)}


def test_only_condas_python_brings_the_standard_library(laptop: Laptop) -> None:
    laptop.install("sysconfigdata", {"lib/python3.11/_sysconfigdata_x.py": ""})
    run = trace(laptop, "lib/python3.11/os.py", "lib/python3.11/_sysconfigdata_x.py")
    assert imported_modules(run, laptop.interpreter(), library=True) == {"python": ("os",)}


def test_modules_of_packages_that_are_not_locked_are_left_out() -> None:
    modules = {"conda:a": ("a",), "conda:b": ("b",), "c": ("c",), "d": ("d",), "python": ("os",)}
    conda: list[CondaPackage] = [conda_package("a", "1", "0")]
    assert set(locked_modules(modules, [package("c")], conda)) == {"conda:a", "c", "python"}


def test_files_of_condas_are_nobodys_loose_ones(laptop: Laptop, tmp_path: Path) -> None:
    assert problems(laptop, f"{SITE}/tzlib/__init__.py", "conda:tzlib") == ()
    assert startup_warnings(laptop.interpreter()) == ()
    with pytest.raises(UsageError, match="belongs to tzlib"):
        loose_packages(
            laptop.interpreter(),
            ["tzlib"],
            targets=("linux/amd64",),
            store=ObjectStore(tmp_path / "objects"),
            scratch=tmp_path,
        )


def test_a_loose_module_is_told(laptop: Laptop) -> None:
    (laptop.site / "mine.py").write_text("")
    assert "belongs to no installed package" in problems(laptop, f"{SITE}/mine.py")[0]


def test_an_imported_file_is_hashed_whatever_its_times_say(laptop: Laptop) -> None:
    (laptop.site / "numpy/__init__.py").write_text("edited")
    assert "numpy 1.26.4: numpy/__init__.py" in problems(laptop, f"{SITE}/numpy/__init__.py", "conda:numpy")[0]
    assert problems(laptop, f"{SITE}/numpy/__init__.py") == ()  # it goes into the image as it is
