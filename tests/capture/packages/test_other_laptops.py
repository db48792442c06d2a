"""Locks for Linux from macOS and Windows, by recordings of such machines."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import parse_wheel_filename

from repro.capture.base import image_platform
from repro.capture.model import Interpreter
from repro.capture.packages.choose import target_tags
from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.runner_packages import lock_runner
from repro.errors import CaptureError
from repro.lock import Lock, Package, Runner, lock_body, parse_lock, render_lock
from repro.plan import Wheel, make_plan, runner_digest, runner_sources
from repro.progress import Silent
from repro.store import ObjectStore
from tests.capture.packages.indexes import Index, laptop, recorded, replay
from tests.http.servers import serve
from tests.lock.samples import plain_lock

BOTH = ("linux/amd64", "linux/arm64")
NVIDIA = {
    "nvidia-cublas-cu12",
    "nvidia-cuda-cupti-cu12",
    "nvidia-cuda-nvrtc-cu12",
    "nvidia-cuda-runtime-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cufft-cu12",
    "nvidia-curand-cu12",
    "nvidia-cusolver-cu12",
    "nvidia-cusparse-cu12",
    "nvidia-nccl-cu12",
    "nvidia-nvjitlink-cu12",
    "nvidia-nvtx-cu12",
}


class Warnings(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


class Laptop:
    """A recorded machine, the index that it saw, and what capture said when it locked."""

    def __init__(self, recording: dict[str, Any], index: Index, folder: Path) -> None:
        self.interpreter = laptop(recording)
        self.client = index.client(folder)
        self.store = ObjectStore(folder / "objects")
        self.progress = Warnings()

    @functools.cached_property
    def locked(self) -> tuple[Package, ...]:
        return self.lock(*BOTH)

    def lock(self, *targets: str, glibc: str = "2.36", **preferred: str) -> tuple[Package, ...]:
        return lock_packages(
            self.interpreter,
            targets=targets,
            glibc=glibc,
            client=self.client,
            local_wheels=lambda _: None,
            built_wheels=lambda *_: pytest.fail("nothing is made here"),
            store=self.store,
            progress=self.progress,
            preferred=preferred,
        )


@pytest.fixture(scope="module")
def mac(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from _machine("macos-arm64", tmp_path_factory.mktemp("mac"))


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from _machine("windows-amd64", tmp_path_factory.mktemp("windows"))


@pytest.fixture(params=["mac", "windows"])
def machine(request: pytest.FixtureRequest) -> Laptop:
    found: Laptop = request.getfixturevalue(request.param)
    return found


def _machine(name: str, folder: Path) -> Iterator[Laptop]:
    recording = recorded(name)
    with serve() as server:
        index = Index(server)
        replay(recording, index)
        yield Laptop(recording, index, folder)


def on(packages: tuple[Package, ...], target: str) -> dict[str, str]:
    return {one.name: one.version for one in packages if any(target in file.targets for file in one.files)}


def versions(interpreter: Interpreter) -> dict[str, str]:
    return {one.name: one.version for one in interpreter.distributions}


def test_a_mac_has_cuda_and_no_appnope_on_linux_amd64(mac: Laptop) -> None:
    there = on(mac.locked, "linux/amd64")
    here = versions(mac.interpreter)
    assert here.keys() - there.keys() == {"appnope"}
    assert there.keys() - here.keys() == NVIDIA | {"triton"}
    assert there["triton"] == "3.1.0"
    assert {name: there[name] for name in here if name in there} == {k: v for k, v in here.items() if k != "appnope"}
    dropped, added = (line for line in mac.progress.lines[:3] if line.startswith("linux/amd64"))
    assert dropped == "linux/amd64 leaves out 1 package: appnope 1.0.0 (only ipykernel needed it on macOS)"
    assert added.startswith("linux/amd64 adds 13 packages that never ran here: nvidia-cublas-cu12 12.4.5.8 (for ")
    assert added.endswith("; triton 3.1.0 (for torch)")


def test_a_mac_has_no_cuda_on_linux_arm64(mac: Laptop) -> None:
    there = on(mac.locked, "linux/arm64")
    assert there == {name: version for name, version in versions(mac.interpreter).items() if name != "appnope"}


def test_windows_loses_colorama_and_pywin32_and_gets_what_terminals_need(windows: Laptop) -> None:
    packages = windows.locked
    here = versions(windows.interpreter)
    for target in BOTH:
        there = on(packages, target)
        assert here.keys() - there.keys() == {"colorama", "pywin32"}
        assert there.keys() - here.keys() == {"pexpect", "ptyprocess"}
        assert all(there[name] == version for name, version in here.items() if name in there)
    assert not {"colorama", "pywin32"} & {package.name for package in packages}
    added = next(package for package in packages if package.name == "pexpect")
    assert (added.version, added.origin, added.requested) == ("4.9.0", "index", False)


def test_every_package_has_one_wheel_that_its_target_runs(machine: Laptop) -> None:
    for package in machine.locked:
        for target in BOTH:
            files = [file for file in package.files if target in file.targets]
            assert len(files) <= 1
            tags = set(target_tags(machine.interpreter.version, "cpython", target, "2.36"))
            assert all(parse_wheel_filename(file.name)[3] & tags for file in files)


def test_the_lock_builds_a_plan_for_each_platform(machine: Laptop) -> None:
    lock = _lock(machine, machine.locked)
    body = lock_body(render_lock(lock))
    again = parse_lock(render_lock(lock))
    for target in BOTH:
        plan = make_plan(again, body, runner_sources(), target)
        wheels = {
            item.package: item.version
            for layer in plan.layers
            if layer.name.startswith("wheel")
            for item in layer.items
            if isinstance(item, Wheel)
        }
        assert wheels == on(lock.packages, target)


def _lock(machine: Laptop, packages: tuple[Package, ...]) -> Lock:
    version = machine.interpreter.version
    own = lock_runner(version, BOTH, "2.36", _Pinned(machine.client))
    sample = plain_lock()
    return replace(
        sample,
        targets=BOTH,
        python=replace(sample.python, version=version, supply="base", packed=None),
        base=replace(sample.base, python=version, python_path="/usr/local/bin/python3", glibc="2.36"),
        packages=packages,
        runner=Runner("1", runner_digest(runner_sources()), own),
        image=replace(sample.image, compiled=None),
        modules={},
        predicted=(),
    )


class _Pinned(IndexClient):
    """The recorded index has none of the runner's packages: they come from where repro pins them."""

    def __init__(self, client: IndexClient) -> None:
        super().__init__(client.settings, cache=client._cache, pages=Path(client._cache.directory) / "pages")


def test_the_same_laptop_locks_the_same_twice_and_keeps_to_versions_that_it_took_before(machine: Laptop) -> None:
    first = machine.locked
    assert machine.lock(*reversed(BOTH), pexpect="4.9.0", triton="2.0.0") == first


def test_an_old_base_is_told_with_what_helps(mac: Laptop) -> None:
    with pytest.raises(CaptureError) as refused:
        mac.lock("linux/amd64", glibc="2.17")
    problems = {problem.split()[0]: problem for problem in refused.value.problems}
    assert "has no wheel that runs on linux/amd64" in problems["scipy"]
    assert "choose a base image with glibc 2.27 or newer ([base] image in repro.toml)" in problems["scipy"]
    assert "numpy" not in problems


def test_images_are_linux_of_the_laptops_processor(mac: Laptop, windows: Laptop) -> None:
    assert image_platform(mac.interpreter) == "linux/arm64"
    assert image_platform(windows.interpreter) == "linux/amd64"
