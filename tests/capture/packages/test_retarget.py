"""Which packages drop out on another platform, which come in there, and at which versions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.choose import target_tags
from repro.capture.packages.index import IndexClient
from repro.capture.packages.markers import laptop_environment, likely_extras, parse_requirements
from repro.capture.packages.retarget import Retargeted, is_foreign, retarget
from repro.errors import CaptureError
from tests.capture.packages.indexes import Index, installed, laptop, recorded, wheel
from tests.http.servers import serve

TARGET = "linux/amd64"
MAC = recorded("macos-arm64")
WINDOWS = recorded("windows-amd64")
TAGS = target_tags("3.11.9", "cpython", TARGET, "2.36")


@pytest.fixture
def index() -> Iterator[Index]:
    with serve() as server:
        yield Index(server)


class Moved:
    """An environment on a laptop, moved to linux/amd64."""

    def __init__(self, index: Index, folder: Path) -> None:
        self.index = index
        self.folder = folder
        self.moves = 0

    def __call__(self, *distributions: Distribution, on: dict[str, Any] = MAC, **preferred: str) -> Retargeted:
        return self.of(laptop(on, *distributions), **preferred)

    def of(
        self,
        interpreter: Interpreter,
        target: str = TARGET,
        provided: Mapping[str, str] | None = None,
        **preferred: str,
    ) -> Retargeted:
        self.moves += 1
        client: IndexClient = self.index.client(self.folder / str(self.moves))  # pages change between moves
        tags = TAGS if target == TARGET else target_tags(interpreter.version, "cpython", target, "2.36")
        releases = client.look_up((one.name, one.version) for one in interpreter.distributions)
        return retarget(
            interpreter, target, tags, releases=releases, client=client, preferred=preferred, provided=provided
        )


@pytest.fixture
def moved(index: Index, tmp_path: Path) -> Moved:
    return Moved(index, tmp_path)


def added(plan: Retargeted) -> list[str]:
    return [f"{one.name} {one.version}" for one in plan.added]


def test_only_another_platform_is_foreign() -> None:
    linux = laptop({"probe": {**MAC["probe"], "system": "Linux", "machine": "x86_64"}})
    assert [is_foreign(linux, target) for target in ("linux/amd64", "linux/arm64")] == [False, True]
    assert is_foreign(laptop(MAC), "linux/arm64")


def test_a_chain_that_only_a_marker_brought_drops_out_whole(moved: Moved) -> None:
    plan = moved(
        installed("app", "1.0", 'mac-ui; sys_platform == "darwin"', "shared"),
        installed("mac-ui", "1.0", "mac-core", "shared"),
        installed("mac-core"),
        installed("shared"),
        installed("alone"),
    )
    assert plan.dropped == {"mac-ui": "only app needed it on macOS", "mac-core": "only mac-ui needed it on macOS"}
    assert plan.added == ()


def test_what_somebody_asked_for_stays_unless_uv_says_so_of_everything(moved: Moved) -> None:
    app = installed("app", "1.0", 'mac-ui; sys_platform == "darwin"', 'pip; sys_platform == "darwin"')
    for installer, dropped in (("pip", set()), ("uv", {"mac-ui"})):
        ui = installed("mac-ui", requested=True, installer=installer)
        assert moved(app, ui, installed("pip")).dropped.keys() == dropped


def test_an_extra_that_somebody_probably_asked_for_holds_and_brings(index: Index, moved: Moved) -> None:
    index.add(*wheel("fast-loop", "0.9"), beside=True)
    server = installed(
        "server",
        "1.0",
        'fast-loop; sys_platform != "win32" and extra == "standard"',
        'websockets; extra == "standard"',
        'colors; sys_platform == "win32" and extra == "standard"',
        'colors; extra == "pretty"',
        'slow-loop; extra == "test"',
        'websockets; extra == "test"',
    )
    bars = installed("bars", "1.0", 'colors; platform_system == "Windows"')
    plan = moved(server, bars, installed("websockets"), installed("colors"), on=WINDOWS)
    assert plan.dropped.keys() == {"colors"}
    assert added(plan) == ["fast-loop 0.9"]
    needs = {"server": parse_requirements(server.requires), "websockets": (), "colors": ()}
    here = laptop_environment(laptop(WINDOWS))
    assert likely_extras({**needs, "bars": parse_requirements(bars.requires)}, here) == {"server": {"standard"}}


def test_what_exists_for_other_systems_only_is_left_out_where_nothing_needs_it(index: Index, moved: Moved) -> None:
    index.add(*wheel("wincalls", "1.0", tag="cp312-cp312-win_amd64"))
    index.add(*wheel("anywhere", "1.0"))
    win = installed("wincalls", requested=True, installer="pip", tags=("cp312-cp312-win_amd64",))
    assert moved(win, installed("anywhere"), on=WINDOWS).dropped == {"wincalls": "it is published for Windows only"}
    assert moved(win, installed("needs-it", "1.0", "wincalls"), on=WINDOWS).dropped == {}
    index.add("wincalls-1.0.tar.gz", b"source")
    assert moved(win, on=WINDOWS).dropped == {}


def test_the_newest_that_fits_is_added_with_all_that_it_needs(index: Index, moved: Moved) -> None:
    index.add(*wheel("gpu", "1.0", "runtime<3", "numbers>=1"))
    index.add(*wheel("gpu", "1.1", "runtime<3", "numbers>=2"), beside=True)  # needs another numbers than is installed
    index.add(*wheel("gpu", "1.2rc1"))
    index.add(*wheel("gpu", "1.3"), yanked="broken")
    index.add(*wheel("gpu", "1.4"), requires_python=">=3.12")
    index.add(*wheel("gpu", "1.5", tag="cp311-cp311-macosx_11_0_arm64"))
    index.add(*wheel("gpu", "2.0"))
    for version in ("2.8", "2.9", "3.0"):
        index.add(*wheel("runtime", version, 'more[deep]; sys_platform == "linux"'))
    index.add(*wheel("more", "1.0", 'deepest; extra == "deep"', 'never; extra == "shallow"'))
    index.add(*wheel("deepest", "5.0"))
    plan = moved(
        installed("app", "1.0", 'gpu<2; sys_platform == "linux"', "numbers"),
        installed("numbers", "1.5"),
        installed("old", "1.0", "runtime!=2.9"),
    )
    assert added(plan) == ["deepest 5.0", "gpu 1.0", "more 1.0", "runtime 2.8"]
    assert {one.name: one.parents for one in plan.added} == {
        "gpu": ("app",),
        "runtime": ("gpu",),
        "more": ("runtime",),
        "deepest": ("more",),
    }


def test_a_version_that_was_taken_before_is_taken_again_where_it_fits(index: Index, moved: Moved) -> None:
    for version in ("1.0", "1.1", "1.2"):
        index.add(*wheel("gpu", version))
    app = installed("app", "1.0", 'gpu<1.2; sys_platform == "linux"')
    assert added(moved(app)) == ["gpu 1.1"]
    assert added(moved(app, gpu="1.0")) == ["gpu 1.0"]
    assert added(moved(app, gpu="1.2")) == ["gpu 1.1"]


def test_what_conda_brings_there_is_not_added_and_holds_for_what_is(index: Index, moved: Moved) -> None:
    index.add(*wheel("numbers", "9.0"))
    index.add(*wheel("gpu", "1.0", "numbers<2"))
    index.add(*wheel("gpu", "1.1", "numbers>=2"), beside=True)
    app = installed("app", "1.0", 'gpu; sys_platform == "linux"', 'numbers; sys_platform == "linux"')
    assert added(moved.of(laptop(MAC, app), provided={"numbers": "1.5"})) == ["gpu 1.0"]
    assert added(moved.of(laptop(MAC, app))) == ["gpu 1.1", "numbers 9.0"]


def test_a_yanked_version_is_taken_only_where_it_is_pinned(index: Index, moved: Moved) -> None:
    index.add(*wheel("gpu", "1.0"), yanked="")
    assert added(moved(installed("app", "1.0", 'gpu==1.0; sys_platform == "linux"'))) == ["gpu 1.0"]
    with pytest.raises(CaptureError):
        moved(installed("app", "1.0", 'gpu>=1.0; sys_platform == "linux"'))


def test_what_was_missing_on_the_laptop_is_not_added(moved: Moved) -> None:
    """The environment contradicted itself there as well, and the work ran all the same."""
    assert moved(installed("app", "1.0", "gone", "numbers>2"), installed("numbers")) == Retargeted({}, ())


def test_the_wheel_for_the_target_says_what_it_needs_there(index: Index, moved: Moved) -> None:
    index.add(*wheel("native", "1.0", tag="cp311-cp311-macosx_11_0_arm64"))
    index.add(*wheel("native", "1.0", "openmp", tag="cp311-cp311-manylinux_2_17_x86_64"))
    index.add(*wheel("openmp", "8.0"))
    native = installed("native", "1.0", "accelerate", tags=("cp311-cp311-macosx_11_0_arm64",))
    plan = moved(native, installed("accelerate"))
    assert (plan.dropped.keys(), added(plan)) == ({"accelerate"}, ["openmp 8.0"])


def test_additions_that_contradict_each_other_are_named(index: Index, moved: Moved) -> None:
    index.add(*wheel("gpu", "1.0", "numbers>=2"))
    with pytest.raises(CaptureError, match="on linux/amd64 the installed packages need others") as refused:
        moved(installed("app", "1.0", 'gpu; sys_platform == "linux"'), installed("numbers", "1.5"))
    assert "gpu requires numbers>=2" in refused.value.problems
