"""Edited files of conda packages: refused file by file, baked where that is allowed; and what is told of a mess."""

from pathlib import Path

import pytest

from repro.capture.conda.patches import CondaReview, review_conda
from repro.errors import CaptureError
from repro.store import ObjectStore
from tests.capture.conda.laptop import SITE, Laptop


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def review(laptop: Laptop, store: ObjectStore, *allowed: str) -> CondaReview:
    return review_conda(laptop.interpreter(), allowed, store)


def test_every_edited_file_is_named_with_both_cures(laptop: Laptop, store: ObjectStore) -> None:
    for name in ("one", "two"):
        laptop.install(name, {f"{SITE}/{name}.py": "x = 1"}, "1.5")
        laptop.edit(f"{SITE}/{name}.py", "x = 2.0")
    with pytest.raises(CaptureError) as caught:
        review(laptop, store)
    assert caught.value.problems == tuple(
        f"{name}=1.5=h0_0: {SITE}/{name}.py was edited after it was installed" for name in ("one", "two")
    )
    assert "conda install --force-reinstall one=1.5=h0_0 two=1.5=h0_0" in str(caught.value.fix)
    assert "--allow-patched one --allow-patched two" in str(caught.value.fix)


def test_an_allowed_file_goes_into_the_store_with_the_images_prefix(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"bin/tool": "#!/bin/sh\n", "etc/x.conf": "a"})
    laptop.edit("etc/x.conf", f"data = {laptop.prefix}/share\nother = {laptop.prefix}2/share\n")
    found = review(laptop, store, "X")
    (patch,) = found.patched["x"]
    assert patch.path == "etc/x.conf"
    assert not patch.executable
    data = store.checked_path(patch.sha256).read_bytes()
    assert data.decode() == f"data = /opt/env/share\nother = {laptop.prefix}2/share\n"
    assert patch.size == len(data)
    assert any("with the changes in etc/x.conf" in line for line in found.warnings)


def test_programs_stay_programs(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"bin/tool": "#!/bin/sh\n"})
    laptop.edit("bin/tool", "#!/bin/sh\necho\n")
    (laptop.prefix / "bin/tool").chmod(0o755)
    assert review(laptop, store, "x").patched["x"][0].executable


def test_an_edited_binary_with_the_address_in_it_is_refused(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"lib/x.so": b"\0"})
    laptop.edit("lib/x.so", b"\0" + str(laptop.prefix).encode())
    with pytest.raises(CaptureError, match=r"x=3\.11\.7=h0_0: lib/x\.so"):
        review(laptop, store, "x")
    laptop.edit("lib/x.so", b"\0edited")
    assert review(laptop, store, "x").patched["x"][0].size == 7


def test_a_companys_certificates_are_no_edit(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("ca-certificates", {"ssl/cacert.pem": "a"})
    laptop.edit("ssl/cacert.pem", "a and ours")
    found = review(laptop, store)
    assert found.patched == {}
    assert any("certificates of ca-certificates" in line for line in found.warnings)


def test_pip_over_conda_is_told_with_both_versions_and_the_emptied_package_left_out(
    laptop: Laptop, store: ObjectStore
) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": "old"})
    laptop.pip("numpy", "2.0.1", {"numpy/__init__.py": "new"})
    found = review(laptop, store)
    assert [one.record.name for one in found.contents] == ["python"]
    (line,) = [line for line in found.warnings if "numpy" in line]
    assert "conda installed numpy=1.26.4=h0_0, and pip then put numpy 2.0.1 in its place" in line
    assert "nothing of the conda package is left" in line


def test_pip_knows_some_packages_by_another_name(laptop: Laptop, store: ObjectStore) -> None:
    info = "torch-2.3.0.dist-info"
    laptop.install("pytorch", {f"{SITE}/torch/__init__.py": "old", f"{SITE}/{info}/METADATA": "Name: torch\n"}, "2.3.0")
    (laptop.site / info / "METADATA").unlink()
    laptop.pip("torch", "2.4.1", {"torch/__init__.py": "new"})
    (line,) = [line for line in review(laptop, store).warnings if "torch" in line]
    assert "conda installed pytorch=2.3.0=h0_0, and pip then put torch 2.4.1 in its place" in line


def test_a_package_that_pip_took_half_of_keeps_the_rest(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install_python("numpy", "1.26.4", {"numpy/__init__.py": "old"})
    laptop.install("numpy-data", {f"{SITE}/numpy/data.txt": "1", "share/numpy/more.txt": "2"}, "1.0")
    laptop.pip("numpy", "2.0.1", {"numpy/__init__.py": "new", "numpy/data.txt": "3"})
    found = review(laptop, store)
    left = {one.record.name: one.without() for one in found.contents}
    assert left == {"python": (), "numpy-data": (f"{SITE}/numpy/data.txt",)}
    assert any(f"{SITE}/numpy/data.txt is now as numpy 2.0.1 brought it" in line for line in found.warnings)


def test_missing_files_are_told(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"share/x/a": "1", "share/x/b": "2"})
    (laptop.prefix / "share/x/a").unlink()
    found = review(laptop, store)
    assert any("share/x/a is missing from the environment" in line for line in found.warnings)


def test_a_package_without_any_file_left_is_left_out(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"share/x/a": "1"})
    (laptop.prefix / "share/x/a").unlink()
    found = review(laptop, store)
    assert "x" not in {one.record.name for one in found.contents}
    assert any("none of its files is left" in line for line in found.warnings)


def test_leave_that_nobody_needs_is_told(laptop: Laptop, store: ObjectStore) -> None:
    laptop.install("x", {"share/x/a": "1"})
    assert review(laptop, store, "x", "other").warnings == ("allow-patched names x, which is as it was published",)
