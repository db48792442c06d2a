"""What a person is told to do about a package without a wheel for a target."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.capture.packages.choose import Unlockable, best_compatible, target_tags
from repro.capture.packages.cures import explain
from tests.capture.packages.indexes import Index, installed, laptop, recorded
from tests.http.servers import serve

MAC = laptop(recorded("macos-arm64"))
TARGETS = ("linux/amd64", "linux/arm64")
AMD64 = "cp311-cp311-manylinux_2_17_x86_64"
ARM64 = "cp311-cp311-manylinux_2_17_aarch64"


@pytest.fixture
def index() -> Iterator[Index]:
    with serve() as server:
        yield Index(server)


def told(index: Index, folder: Path, *files: str, version: str = "1.5", target: str = "linux/arm64") -> str:
    name = files[0].partition("-")[0] if files else "thing"
    for file in files:
        index.add(file, file.encode())
    client = index.client(folder)
    tags = {one: target_tags("3.11.9", "cpython", one, "2.17") for one in TARGETS}
    distribution = installed(name, version, tags=("cp311-cp311-macosx_11_0_arm64",))
    missing = best_compatible(distribution, client.files(name, version), target, tags[target])
    assert isinstance(missing, Unlockable)
    return explain(missing, MAC, tags, client).partition("; ")[2]


def test_the_nearest_versions_that_have_one_are_named(index: Index, tmp_path: Path) -> None:
    others = [f"thing-{version}-{ARM64}.whl" for version in ("0.9", "1.4", "1.7", "2.0")]
    newer = ["thing-1.6-cp312-cp312-manylinux_2_17_aarch64.whl", f"thing-1.7rc1-{ARM64}.whl"]
    assert told(index, tmp_path, "thing-1.5-cp311-cp311-win_amd64.whl", *others, *newer) == (
        "there is thing-1.5-cp311-cp311-win_amd64.whl; "
        "install thing==1.4 or thing==1.7, which have one, and run it again"
    )


def test_source_and_another_platform_are_ways_out(index: Index, tmp_path: Path) -> None:
    assert told(index, tmp_path, f"thing-1.5-{AMD64}.whl", "thing-1.5.tar.gz") == (
        f"there is thing-1.5-{AMD64}.whl, thing-1.5.tar.gz; "
        "capture for linux/amd64, which has one (--platform linux/amd64), "
        "or build it on Linux on aarch64 (pip wheel --no-deps thing==1.5) "
        "and name the folder in repro.toml, [index] find-links"
    )


def test_a_base_that_is_too_old_is_named_with_the_glibc_that_would_do(index: Index, tmp_path: Path) -> None:
    files = ("thing-1.5-cp311-cp311-manylinux_2_34_aarch64.whl", "thing-1.5-cp311-abi3-manylinux_2_28_aarch64.whl")
    assert told(index, tmp_path, *files).endswith(
        "; choose a base image with glibc 2.28 or newer ([base] image in repro.toml)"
    )


def test_what_is_on_no_index_may_be_on_another(index: Index, tmp_path: Path) -> None:
    assert told(index, tmp_path) == "name the index that it came from with --extra-index-url"
    index.add("torch-2.5.1-py3-none-any.whl", b"")
    assert told(index, tmp_path, "torch-2.4-cp311-none-win_amd64.whl", version="2.5.1+cpu").startswith(
        "add its index with --extra-index-url https://download.pytorch.org/whl/cpu, "
        "or install torch==2.5.1, which has one"
    )
