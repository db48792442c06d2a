"""Other builds of an installed release, by the author's wish."""

from pathlib import Path

import pytest

from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.variants import with_variants
from repro.errors import UsageError
from repro.progress import Silent
from repro.store import ObjectStore
from tests.capture.packages.indexes import Index, installed, laptop, recorded, wheel
from tests.http.servers import serve

MAC = recorded("macos-arm64")


class Warnings(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


def test_the_build_without_cuda_comes_from_its_own_index_and_brings_no_cuda(tmp_path: Path) -> None:
    cuda = 'cuda; platform_system == "Linux"'
    torch = installed("torch", "2.5.1", cuda, tags=("cp311-none-macosx_11_0_arm64",))
    progress = Warnings()
    with serve() as server:
        index, cpu = Index(server), Index(server, "/whl/cpu", style="html")
        index.add(*wheel("torch", "2.5.1", cuda, tag="cp311-cp311-manylinux_2_17_x86_64"))
        index.add(*wheel("cuda", "12.4"))
        name, body = wheel("torch", "2.5.1+cpu", tag="cp311-cp311-linux_x86_64")
        cpu.add(name, body)
        (package,) = lock_packages(
            with_variants(laptop(MAC, torch), ["torch==2.5.1+cpu"], progress),
            targets=("linux/amd64",),
            glibc="2.36",
            client=index.client(tmp_path, cpu.url),
            local_wheels=lambda _: None,
            built_wheels=lambda *_: pytest.fail("it is published"),
            store=ObjectStore(tmp_path / "objects"),
            progress=progress,
        )
    assert (package.version, package.source, [file.name for file in package.files]) == ("2.5.1+cpu", cpu.url, [name])
    assert progress.lines == ["torch 2.5.1 ran here, and 2.5.1+cpu is locked, as repro.toml asks"]


def test_the_installed_build_is_no_substitution() -> None:
    progress = Warnings()
    before = laptop(MAC, installed("torch", "2.5.1"), installed("six"))
    assert with_variants(before, ["Torch == 2.5.1"], progress) == before
    assert progress.lines == []


def test_only_other_builds_of_the_installed_release_are_variants() -> None:
    wanted = ["torch==2.6.0+cpu", "torch>=2.5.1", "torch==2.5.*", "jax==0.4+cpu", "not a pin!", "odd==1.0"]
    odd = installed("odd", "not-a-version")
    with pytest.raises(UsageError) as refused:
        with_variants(laptop(MAC, installed("torch", "2.5.1"), odd), wanted, Warnings())
    assert list(refused.value.problems) == [
        "torch==2.6.0+cpu: another release is installed, 2.5.1",
        "torch>=2.5.1: must pin one version with ==",
        "torch==2.5.*: must pin one version with ==",
        "jax==0.4+cpu: is not installed",
        "not a pin!: is no requirement",
        "odd==1.0: another release is installed, not-a-version",
    ]
