"""A captured conda environment on another platform."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro.capture.conda.contents import Contents
from repro.capture.conda.foreign import foreign_packages, is_foreign
from repro.capture.conda.patches import CondaReview
from repro.conda.environment import CondaPrefix
from repro.digest import Digest
from repro.errors import CaptureError
from repro.lock import CondaPackage, CondaPatch
from tests.capture.conda.platforms import (
    FORGE,
    Announced,
    Index,
    Told,
    at,
    entry,
    forge,
    macos,
    write_environment,
    write_index,
)
from tests.capture.conda.platforms import write_records as records_of

PYTHON = "python=3.11.7=h1_0_cpython"
OSX = {"subdir": "osx-arm64"}

Ask = Callable[..., tuple[dict[str, CondaPackage], list[str]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Solve for linux/amd64 with an index for conda-forge; the packages by name, and what was told."""

    def solved(prefix: CondaPrefix, *index: Index, **more: Any) -> tuple[dict[str, CondaPackage], list[str]]:
        write_index(tmp_path / "forge", *index)
        told = Told()
        found = foreign_packages(
            prefix,
            **{
                "target": "linux/amd64",
                "glibc": "2.36",
                "repodata": at({FORGE: tmp_path / "forge"}),
                "archives": Announced(),
                "progress": told,
                **more,
            },
        )
        return {one.name: one for one in found}, told.warnings

    return solved


def test_a_macs_environment_keeps_its_versions_on_linux(tmp_path: Path, ask: Ask) -> None:
    prefix = records_of(tmp_path / "env", macos())
    newer = entry("ipykernel=7.0.0=pyhd8ed1ab_0", "python >=3.9", subdir="noarch", noarch="python")

    found, told = ask(prefix, *forge(), newer)

    captured = {record.name: record.version for record in prefix.records}
    assert {name: one.version for name, one in found.items() if name in captured} == {
        name: version for name, version in captured.items() if name not in {"libcxx", "appnope"}
    }
    added = {name for name, one in found.items() if one.captured == ""}
    assert {"libgcc", "_libgcc_mutex", "ld_impl_linux-64"} <= added == found.keys() - captured.keys()
    assert "appnope 0.1.4 (only ipykernel needed it on osx-arm64)" in told[0]
    assert "libcxx 20.1.6 (it has no build for linux-64)" in told[0]
    assert told[1].startswith("linux/amd64 adds 12 conda packages that never ran here: _libgcc_mutex 0.1 (for ")


def test_the_lock_says_what_a_package_is_and_what_it_was(tmp_path: Path, ask: Ask) -> None:
    found, _ = ask(records_of(tmp_path / "env", macos()), *forge())

    python, kernel, pip = found["python"], found["ipykernel"], found["pip"]
    assert (python.build, python.subdir, python.captured) == (
        "h9e4cc4f_0_cpython",
        "linux-64",
        "3.12.11 hc22306f_0_cpython",
    )
    assert python.url == f"{FORGE}/linux-64/python-3.12.11-h9e4cc4f_0_cpython.conda"
    assert (python.channel, python.size, python.md5) == ("conda-forge", 31445023, "94206474a5608243a10c92cefbe0908f")
    assert python.sha256.hex == "6cca004806ceceea9585d4d655059e951152fc774a471593d4f5138e6a54c81d"
    assert (kernel.build, kernel.captured) == ("pyh3099207_0", "6.29.5 pyh57ce528_0")
    assert (pip.captured, pip.subdir) == (None, "noarch")
    assert [one.name for one in found.values() if one.requested] == ["ipykernel", "python"]


def test_an_environment_is_foreign_by_its_builds(tmp_path: Path) -> None:
    prefix = write_environment(tmp_path, [entry(PYTHON), entry("tzdata=2024a=h0", subdir="noarch")])

    assert not is_foreign(prefix, "linux/amd64")
    assert is_foreign(prefix, "linux/arm64")


def test_linux_on_another_processor(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry(PYTHON), entry("numpy=1.26.4=py1", "python")], asked=["numpy"])
    arm = {"subdir": "linux-aarch64"}
    index = [
        entry(PYTHON, "__archspec 1 aarch64", "__glibc >=2.17", **arm),
        entry("numpy=1.26.4=py2", "python", **arm),
        entry("numpy=2.0.0=py2", "python", **arm),
    ]

    found, _ = ask(prefix, *index, target="linux/arm64")

    assert [one.label for one in found.values()] == ["numpy=1.26.4=py2", PYTHON]


def test_every_missing_build_is_named_with_what_there_is_nearest_first(tmp_path: Path, ask: Ask) -> None:
    mac = [
        entry(PYTHON, **OSX),
        entry("uneven=2.0=py1", "python", "inner", **OSX),
        entry("top=1.0=0", "inner", **OSX),
        entry("inner=1.4=0", **OSX),
        entry("metal=1.0=0", **OSX),
    ]
    linux = [
        entry(PYTHON),
        *(entry(f"uneven={version}=py1", "python") for version in ("1.8", "2.1", "2.2", "3.0", "0.1")),
        entry("top=1.0=0", "inner"),
        entry("inner=1.5=0"),
    ]
    prefix = write_environment(tmp_path / "env", mac, asked=["python", "uneven", "top", "metal"])

    with pytest.raises(CaptureError) as caught:
        ask(prefix, *linux)

    assert caught.value.what == "3 conda packages can't be locked for linux/amd64"
    inner, metal, uneven = caught.value.problems
    assert inner.startswith(
        "inner 1.4 has no build for linux-64, where top would need it; there is 1.5; install inner=1.5"
    )
    assert metal.startswith("metal 1.0 has no build for linux-64, nor has any other version, and nothing here needs it")
    assert uneven == (
        "uneven 2.0 has no build for linux-64; there is 2.1, 2.2, 1.8, 0.1 and 1 more; install uneven=2.1 or "
        "uneven=2.2, which have one, and run it again, or let linux/amd64 have another version "
        '(may-differ = ["uneven"] under [conda] in repro.toml)'
    )


def test_a_build_for_another_python_is_no_build(tmp_path: Path, ask: Ask) -> None:
    mac = [entry(PYTHON, **OSX), entry("thing=1.0=py1", "python >=3.11,<3.12.0a0", **OSX)]
    linux = [entry(PYTHON), entry("thing=1.0=py2", "python >=3.12,<3.13.0a0"), entry("thing=0.9=py1", "python 3.11.*")]

    with pytest.raises(CaptureError) as caught:
        ask(write_environment(tmp_path / "env", mac), *linux)

    assert caught.value.problems[0].startswith("thing 1.0 has no build for linux-64; there is 0.9; install thing=0.9")


def test_a_version_moves_where_the_author_lets_it(tmp_path: Path, ask: Ask) -> None:
    mac = [entry("uneven=2.0=0", **OSX)]
    prefix = write_environment(tmp_path / "env", mac, asked=["uneven"])

    found, told = ask(prefix, entry("uneven=2.1=0"), may_differ=["uneven"])

    assert (found["uneven"].version, found["uneven"].captured) == ("2.1", "2.0 0")
    assert told == ["linux/amd64 has another version of 1 conda package: uneven 2.1 for 2.0"]


def test_a_version_that_may_move_stays_where_it_can(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry("uneven=2.0=0", **OSX)])
    newer = entry("uneven=2.1=0")

    stays, quiet = ask(prefix, entry("uneven=2.0=0"), newer, may_differ=["uneven"])
    moves, _ = ask(prefix, entry("uneven=2.0=0", "__glibc >=2.39"), newer, may_differ=["uneven"])

    assert (stays["uneven"].version, quiet) == ("2.0", [])
    assert moves["uneven"].version == "2.1"


def test_a_compilers_library_that_each_platform_numbers_for_itself_moves_and_is_told(tmp_path: Path, ask: Ask) -> None:
    mac = [entry("libgfortran=5.0.0=13_2_0_h1_3", **OSX), entry("libopenblas=0.3.27=1", "libgfortran 5.*", **OSX)]
    linux = [entry("libgfortran=13.2.0=h1_0"), entry("libopenblas=0.3.27=2", "libgfortran")]

    found, told = ask(write_environment(tmp_path / "env", mac), *linux)

    assert found["libgfortran"].version == "13.2.0"
    assert told == ["linux/amd64 has another version of 1 conda package: libgfortran 13.2.0 for 5.0.0"]


def test_versions_that_do_not_fit_together_are_named_and_no_others(tmp_path: Path, ask: Ask) -> None:
    crowd = [f"crowd{number}=1.0=0" for number in range(20)]
    captured = ["numpy=1.26.4=py1", "scipy=1.9.0=py1", *crowd]
    mac = [entry(PYTHON, **OSX), *(entry(one, "python", **OSX) for one in captured)]
    linux = [
        entry(PYTHON),
        entry("numpy=1.26.4=py2", "python"),
        entry("numpy=1.25.0=py2", "python"),
        entry("scipy=1.9.0=py2", "numpy <1.26"),
        entry("scipy=1.10.0=py2", "numpy"),
        *(entry(one, "python") for one in crowd),
    ]

    with pytest.raises(CaptureError) as caught:
        ask(write_environment(tmp_path / "env", mac), *linux)

    assert caught.value.what == "the captured conda packages can't be locked for linux/amd64"
    (problem,) = caught.value.problems
    assert problem.startswith(
        "numpy 1.26.4 and scipy 1.9.0 do not fit on linux-64; install scipy=1.10.0, which would, and run it again, or "
    )
    assert "scipy" in caught.value.details
    assert "crowd" not in caught.value.details
    assert FORGE in caught.value.details


def test_what_fits_in_no_version_is_named(tmp_path: Path, ask: Ask) -> None:
    mac = [entry("fast=1.0=0", **OSX), entry("plain=1.0=0", **OSX)]
    linux = [entry("fast=1.0=0", "__glibc >=2.39"), entry("plain=1.0=0")]

    with pytest.raises(CaptureError) as caught:
        ask(write_environment(tmp_path / "env", mac), *linux)

    assert caught.value.problems == (
        "fast can't be installed on linux-64 in any version; the solver's reasons are below",
    )
    assert "__glibc >=2.39" in caught.value.details


def test_an_image_counts_on_no_gpu(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry("torch=2.4.0=cpu_0", **OSX)], asked=["torch"])
    linux = [entry("torch=2.4.0=cpu_0"), entry("torch=2.4.0=cuda_1", "__cuda >=12", build_number=1)]

    found, _ = ask(prefix, *linux)

    assert found["torch"].build == "cpu_0"


def test_the_kind_of_blas_is_kept_where_there_is_one(tmp_path: Path, ask: Ask) -> None:
    x86 = [entry("libblas=3.9.0=20_linux64_mkl"), entry("scipy=1.0=0", "libblas")]
    arm = {"subdir": "linux-aarch64"}
    prefix = write_environment(tmp_path / "env", x86, asked=["scipy"])
    index = [
        entry("libblas=3.9.0=20_linuxaarch64_openblas", **arm),
        entry("libblas=3.9.0=9_linuxaarch64_mkl", **arm),
        entry("scipy=1.0=0", "libblas", **arm),
    ]

    kept, quiet = ask(prefix, *index, target="linux/arm64")
    moved, told = ask(prefix, index[0], index[2], target="linux/arm64")

    assert (kept["libblas"].build, quiet) == ("9_linuxaarch64_mkl", [])
    assert moved["libblas"].build == "20_linuxaarch64_openblas"
    assert told == [
        "linux/arm64 has another BLAS, so sums may differ in their last digits: libblas by openblas for mkl"
    ]


def test_the_kind_of_python_is_kept(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry("python=3.13.1=h1_100_cp313", **OSX)])

    found, _ = ask(prefix, entry("python=3.13.1=h2_100_cp313"), entry("python=3.13.1=h3_101_cp313t", build_number=1))

    assert found["python"].build == "h2_100_cp313"


def test_an_earlier_lock_keeps_what_was_added(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry("numpy=1.26.4=0", **OSX)])
    numpy = entry("numpy=1.26.4=0", "libgcc >=13")

    before, _ = ask(prefix, numpy, entry("libgcc=14.1=0"))
    after, _ = ask(prefix, numpy, entry("libgcc=14.1=0"), entry("libgcc=15.0=0"), preferred=before.values())
    anew, _ = ask(prefix, numpy, entry("libgcc=14.1=0"), entry("libgcc=15.0=0"))

    assert before == after
    assert anew["libgcc"].version == "15.0"


def test_what_pips_packages_need_stays_though_conda_no_longer_needs_it(tmp_path: Path, ask: Ask) -> None:
    mac = [entry("tool=1.0=0", "helper", **OSX), entry("helper=1.0=0", **OSX)]
    prefix = write_environment(tmp_path / "env", mac, asked=["tool"])
    linux = [entry("tool=1.0=0"), entry("helper=1.0=0")]

    assert "helper" not in ask(prefix, *linux)[0]
    assert "helper" in ask(prefix, *linux, needed=["helper"])[0]


def test_a_package_comes_from_the_channel_it_came_from(tmp_path: Path, ask: Ask) -> None:
    ours = "https://conda.example.org/ours"
    write_environment(tmp_path / "env", [entry("numpy=1.26.4=0", **OSX), entry("pandas=2.0=0", "numpy", **OSX)])
    prefix = write_environment(tmp_path / "env", [entry("model=1.0=0", "numpy", **OSX)], channel=ours)
    write_index(tmp_path / "ours", entry("model=1.0=ours", "numpy"), entry("numpy=1.26.4=ours"))
    known = at({FORGE: tmp_path / "forge", ours: tmp_path / "ours"})
    linux = [entry("numpy=1.26.4=forge"), entry("pandas=2.0=0", "numpy"), entry("model=9.9=forge", "numpy")]

    found, _ = ask(prefix, *linux, repodata=known)

    assert {name: one.build for name, one in found.items()} == {"model": "ours", "numpy": "forge", "pandas": "0"}
    assert (found["model"].channel, found["model"].url) == (ours, f"{ours}/linux-64/model-1.0-ours.conda")


def test_what_pip_put_its_own_in_place_of_is_counted_on_and_left_out(tmp_path: Path, ask: Ask) -> None:
    mac = [
        entry("pandas=2.0=0", "numpy", **OSX),
        entry("numpy=1.26.4=0", "libblas", **OSX),
        entry("libblas=3.9=0", **OSX),
    ]
    prefix = write_environment(tmp_path / "env", mac, asked=["pandas", "numpy"])
    site = "lib/python3.11/site-packages"
    review = CondaReview((Contents(prefix.named["libblas"]), Contents(prefix.named["pandas"], gone=(f"{site}/x.py",))))
    linux = [entry("pandas=2.0=0", "numpy"), entry("numpy=1.26.4=0", "libblas"), entry("libblas=3.9=0")]

    found, told = ask(prefix, *linux, review=review)
    elsewhere, _ = ask(prefix, linux[0], entry("numpy=1.25.0=0", "libblas"), linux[2], review=review)

    assert list(found) == list(elsewhere) == ["libblas", "pandas"]
    assert found["pandas"].without == (f"{site}/x.py",)
    assert told == []


def test_edits_by_hand_go_along_with_the_very_build_only(tmp_path: Path, ask: Ask) -> None:
    pure = entry("pure=1.0=0", subdir="noarch", noarch="python")
    prefix = write_environment(tmp_path / "env", [pure, entry("fast=1.0=mac", **OSX)])
    patch = CondaPatch("lib/a.py", Digest.of(b""), 0)
    contents = tuple(Contents(record) for record in prefix.records)

    found, _ = ask(prefix, pure, entry("fast=1.0=linux"), review=CondaReview(contents, {"pure": (patch,)}))
    with pytest.raises(CaptureError) as caught:
        ask(prefix, pure, entry("fast=1.0=linux"), review=CondaReview(contents, {"fast": (patch,)}))

    assert found["pure"].patched == (patch,)
    assert caught.value.problems == ("fast=1.0=linux: lib/a.py",)


def test_scripts_are_left_out_where_that_is_said(tmp_path: Path, ask: Ask) -> None:
    prefix = write_environment(tmp_path / "env", [entry("fonts=1.0=0", **OSX), entry("other=1.0=0", **OSX)])

    found, _ = ask(prefix, entry("fonts=1.0=0"), entry("other=1.0=0"), skip_scripts=["fonts"])

    assert [one.scripts for one in found.values()] == ["skip", None]
    found, _ = ask(prefix, entry("fonts=1.0=0"), entry("other=1.0=0"), run_scripts=["fonts"])
    assert [one.scripts for one in found.values()] == ["run", None]
