"""Which wheel stands for an installed one, on its own platform and on another."""

import platform
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.tags import Tag, sys_tags

from repro.capture.model import Distribution
from repro.capture.packages.choose import Chosen, Unlockable, abi_tag, best_compatible, choose, target_tags
from repro.capture.packages.index import IndexFile
from repro.digest import Digest
from repro.errors import UsageError

AMD64 = target_tags("3.11.7", "cpython", "linux/amd64", "2.36")
ARM64 = target_tags("3.11.7", "cpython", "linux/arm64", "2.36")
NOWHERE = Path("/nowhere")
X86 = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"
FILES = (
    f"thing-1.0-{X86}.whl",
    "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "thing-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
    "thing-1.0-cp311-cp311-macosx_11_0_arm64.whl",
    "thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    "thing-1.0-py3-none-any.whl",
    "thing-1.0.tar.gz",
    "thing-1.0-broken.whl",
)


def installed(*tags: str) -> Distribution:
    return Distribution("thing", "1.0", NOWHERE, NOWHERE, tags)


def published(*names: str, index: str = "https://one/simple", content: str = "") -> list[IndexFile]:
    return [IndexFile(name, f"{index}/{name}", Digest.of((name + content).encode()), 1, None, index) for name in names]


def chosen(choice: Chosen | Unlockable) -> tuple[str, str]:
    assert isinstance(choice, Chosen)
    return choice.file.name, choice.how


def test_the_tags_of_this_very_interpreter_are_those_that_packaging_computes() -> None:
    machine = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]
    abi = abi_tag(sys.implementation.name, str(sysconfig.get_config_var("SOABI")))
    ours = target_tags(platform.python_version(), sys.implementation.name, machine, platform.libc_ver()[1], abi)
    assert ours == list(sys_tags())


def test_other_interpreters_have_their_own_tags() -> None:
    assert abi_tag("cpython", "cpython-311-x86_64-linux-gnu") is None
    assert abi_tag("cpython", "cpython-313t-x86_64-linux-gnu") == "cp313t"
    assert abi_tag("pypy", "pypy310-pp73-x86_64-linux-gnu") == "pypy310_pp73"
    assert Tag("cp313", "cp313t", "manylinux_2_36_aarch64") in target_tags(
        "3.13.1", "cpython", "linux/arm64", "2.36", "cp313t"
    )
    assert Tag("pp310", "pypy310_pp73", "manylinux2014_x86_64") in target_tags(
        "3.10.1", "pypy", "linux/amd64", "2.36", "pypy310_pp73"
    )
    with pytest.raises(UsageError, match="windows/amd64"):
        target_tags("3.11.7", "cpython", "windows/amd64", "2.36")


def test_the_same_tags_win_over_better_ones() -> None:
    files = published(*FILES)
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
    assert chosen(choose(installed(*tags), files, "linux/amd64", AMD64)) == (FILES[0], "same")
    assert chosen(choose(installed("py3-none-any"), files, "linux/amd64", AMD64)) == (FILES[5], "same")


def test_what_the_target_cannot_run_is_replaced_by_the_best_that_it_can() -> None:
    files = published(*FILES)
    mac = installed("cp311-cp311-macosx_11_0_arm64")
    assert chosen(choose(mac, files, "linux/amd64", AMD64)) == (FILES[1], "compatible")
    assert chosen(choose(mac, files, "linux/arm64", ARM64)) == (FILES[2], "compatible")
    old = target_tags("3.11.7", "cpython", "linux/amd64", "2.17")
    assert chosen(choose(installed("cp311-cp311-manylinux_2_28_x86_64"), files, "linux/amd64", old))[0] == FILES[0]


def test_what_was_built_here_is_not_replaced_silently() -> None:
    choice = choose(installed("cp311-cp311-linux_x86_64"), published(*FILES), "linux/amd64", AMD64)
    assert isinstance(choice, Unlockable)
    assert choice.built_here
    assert "not installed from a published wheel" in choice.reason


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "is on no index"),
        (("thing-1.0.tar.gz",), "is published as source only"),
        (FILES, "was not installed from a published wheel (none has its tag cp311-cp311-linux_x86_64)"),
    ],
)
def test_what_was_built_here_says_in_which_way(names: tuple[str, ...], reason: str) -> None:
    choice = choose(installed("cp311-cp311-linux_x86_64"), published(*names), "linux/amd64", AMD64)
    assert isinstance(choice, Unlockable)
    assert choice.reason == reason


def test_without_a_wheel_file_the_best_is_taken_with_a_doubt() -> None:
    choice = choose(installed(), published(*FILES), "linux/amd64", AMD64)
    assert chosen(choice) == (FILES[1], "compatible")
    assert isinstance(choice, Chosen)
    assert "no WHEEL file" in choice.doubts[0]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "is on no index"),
        (("thing-1.0.tar.gz",), "has no wheel, only source"),
        (("thing-1.0-cp311-cp311-win_amd64.whl", "thing-1.0.tar.gz"), "has no wheel that runs on linux/arm64"),
    ],
)
def test_a_miss_says_why_and_what_there_is(names: tuple[str, ...], reason: str) -> None:
    miss = best_compatible(installed("cp311-cp311-win_amd64"), published(*names), "linux/arm64", ARM64)
    assert miss == Unlockable("thing", "1.0", "linux/arm64", reason, tuple(sorted(names)), built_here=False)


NUMBERED = ("thing-1.0-py3-none-any.whl", "thing-1.0-2-py3-none-any.whl", "thing-1.0-10b-py3-none-any.whl")


@pytest.mark.parametrize(("build", "name"), [("", NUMBERED[0]), ("2", NUMBERED[1]), ("10b", NUMBERED[2])])
def test_the_installed_build_number_is_taken(build: str, name: str) -> None:
    distribution = replace(installed("py3-none-any"), build=build)
    assert chosen(choose(distribution, published(*NUMBERED), "linux/amd64", AMD64))[0] == name


def test_of_builds_that_are_not_installed_the_highest_is_taken_and_the_others_are_named() -> None:
    files = published(*NUMBERED)
    for choice in (
        choose(replace(installed("py3-none-any"), build="7"), files, "linux/amd64", AMD64),
        choose(installed("cp311-cp311-win_amd64"), files, "linux/amd64", AMD64),
    ):
        assert isinstance(choice, Chosen)
        assert (choice.file, choice.others) == (files[2], tuple(files[:2]))


def test_different_files_of_one_name_are_a_doubt_and_the_first_index_wins() -> None:
    files = [*published(FILES[5]), *published(FILES[5], index="https://two/simple", content="other")]
    choice = choose(installed("py3-none-any"), files, "linux/amd64", AMD64)
    assert isinstance(choice, Chosen)
    assert choice.file == files[0]
    assert choice.doubts == (
        f"https://one/simple and https://two/simple have different files named {FILES[5]}; the first is taken",
    )
