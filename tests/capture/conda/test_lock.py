"""Installed conda packages as locked ones; scripts that nobody allowed, a C library that is too old."""

from pathlib import Path

import pytest
from repro_oci.image_python import can_compile

from repro.capture.conda.archives import Archive
from repro.capture.conda.lock import check_glibc, installed_packages, needed_glibc
from repro.capture.conda.patches import review_conda
from repro.capture.conda.scripts import check_runnable, check_scripts
from repro.digest import Digest
from repro.errors import CaptureError, UsageError
from repro.store import ObjectStore
from tests.capture.conda.laptop import Laptop

SCRIPT = "bin/.x-post-link.sh"


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_a_package_is_locked_as_its_record_says(laptop: Laptop, tmp_path: Path) -> None:
    laptop.install(
        "x",
        {"share/a": "1", "share/b": "2", SCRIPT: ""},
        "1.5",
        depends=["python >=3.11"],
        requested_spec="x >=1",
        url="https://ann:pw@host.example/t/tk-1/ours/linux-64/x-1.5-h0_0.conda",
    )
    (laptop.prefix / "share/a").unlink()
    interpreter = laptop.interpreter()
    assert interpreter.conda is not None
    review = review_conda(interpreter, (), ObjectStore(tmp_path / "objects"))
    url = "https://host.example/ours/linux-64/x-1.5-h0_0.conda"
    archives = {name: Archive(Digest.of(b"x"), 10, "0" * 32, url) for name in ("python", "x")}
    found = installed_packages(interpreter.conda, review, archives, target="linux/amd64", skip_scripts=["x"])
    assert [one.name for one in found] == ["python", "x"]
    locked = found[1]
    assert (locked.label, locked.subdir, locked.target) == ("x=1.5=h0_0", "linux-64", "linux/amd64")
    assert (locked.channel, locked.url) == ("https://host.example/ours", url)
    assert (locked.sha256, locked.size, locked.md5) == (Digest.of(b"x"), 10, "0" * 32)
    assert (locked.depends, locked.requested) == (("python >=3.11",), True)
    assert (locked.without, locked.scripts) == (("share/a",), "skip")
    assert (found[0].requested, found[0].scripts) == (False, None)


def test_scripts_need_leave(laptop: Laptop) -> None:
    laptop.install("x", {SCRIPT: "echo"}, "1.5")
    records = laptop.interpreter().conda.records  # type: ignore[union-attr]
    with pytest.raises(CaptureError) as caught:
        check_scripts(records, [])
    assert caught.value.problems == (f"x=1.5=h0_0: {SCRIPT}",)
    assert 'skip-scripts = ["x"]' in str(caught.value.fix)
    assert check_scripts(records, ["x", "y"]) == (
        f"x=1.5=h0_0: {SCRIPT} is not run in the image",
        "skip-scripts names y, which has no script, or isn't installed",
    )


def test_scripts_run_where_that_is_said(laptop: Laptop, tmp_path: Path) -> None:
    laptop.install("x", {SCRIPT: "echo"}, "1.5")
    conda = laptop.interpreter().conda
    assert conda is not None
    assert check_scripts(conda.records, [], ["x", "z"]) == (
        f"x=1.5=h0_0: {SCRIPT} runs while an image is made",
        "run-scripts names z, which has no script, or isn't installed",
    )
    review = review_conda(laptop.interpreter(), (), ObjectStore(tmp_path / "objects"))
    archives = {name: Archive(Digest.of(b"x"), 10, None, None) for name in ("python", "x")}
    found = installed_packages(conda, review, archives, target="linux/amd64", skip_scripts=[], run_scripts=["x"])
    assert [one.scripts for one in found] == [None, "run"]


def test_scripts_that_run_before_linking_can_only_be_left_out(laptop: Laptop) -> None:
    laptop.install("x", {SCRIPT: "echo", "bin/.x-pre-link.sh": "echo"}, "1.5")
    records = laptop.interpreter().conda.records  # type: ignore[union-attr]
    with pytest.raises(CaptureError, match="before linking") as caught:
        check_scripts(records, [], ["x"])
    assert caught.value.problems == ("x=1.5=h0_0: bin/.x-pre-link.sh",)


def test_scripts_for_another_architecture_are_refused_by_name() -> None:
    here, there = ("linux/amd64", "linux/arm64") if can_compile("linux/amd64") else ("linux/arm64", "linux/amd64")
    check_runnable(["x"], [here])
    check_runnable([], [here, there])
    with pytest.raises(CaptureError, match=f"have to run for {there}") as caught:
        check_runnable(["x"], [here, there])
    assert caught.value.problems == ("x",)
    assert "skip-scripts" in str(caught.value.fix)


def test_a_base_with_an_older_c_library_is_refused(laptop: Laptop) -> None:
    laptop.install("x", {}, "1.5", depends=["__glibc >=2.39,<3.0.a0"])
    records = laptop.interpreter().conda.records  # type: ignore[union-attr]
    check_glibc(records, "2.39", "base:new")
    with pytest.raises(UsageError, match=r"x=1\.5=h0_0 needs glibc 2\.39") as caught:
        check_glibc(records, "2.36", "base:old")
    assert caught.value.where == "base:old"


@pytest.mark.parametrize(
    ("depends", "least"),
    [
        (["__glibc >=2.17,<3.0.a0", "python"], "2.17"),
        (["__glibc >=2.9", "__glibc >=2.28"], "2.28"),
        (["__glibc"], None),
        (["glibc >=2.40"], None),
    ],
)
def test_the_least_c_library_is_read_from_what_packages_depend_on(depends: list[str], least: str | None) -> None:
    assert needed_glibc(depends) == least
