"""What can't be installed without what."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from repro.proof.changes import PLATFORM, Change
from repro.proof.constraints import Environments, Installed, implied, pythons_of, read_requirements
from repro.proof.smallest import closures
from tests.proof.wheelhouse import make_wheel


def installed(version: str, *requires: str) -> Installed:
    return Installed(version, tuple(map(Requirement, requires)))


def needs(environments: Environments, pythons: tuple[int, int] = (11, 11)) -> dict[str, set[str]]:
    before, after = environments
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    changed += [PLATFORM] if pythons[0] != pythons[1] else []
    changes = [Change(name, "changed", "1", "2") for name in changed]
    return {name: found for name, found in implied(changes, environments, pythons).items() if found}


def test_a_new_version_needs_what_it_requires() -> None:
    before = {"scipy": installed("1.11", "numpy<2"), "numpy": installed("1.26")}
    after = {"scipy": installed("1.14", "numpy>=2"), "numpy": installed("2.1")}
    assert needs((before, after)) == {"scipy": {"numpy"}, "numpy": {"scipy"}}


def test_a_requirement_that_both_versions_meet_binds_nobody() -> None:
    before = {"scipy": installed("1.11", "numpy"), "numpy": installed("1.26")}
    after = {"scipy": installed("1.14", "numpy>=1.20"), "numpy": installed("2.1")}
    assert needs((before, after)) == {}


def test_what_is_removed_goes_after_those_that_need_it() -> None:
    before = {"app": installed("1", "old"), "old": installed("1")}
    after = {"app": installed("2")}
    assert needs((before, after)) == {"old": {"app"}}


def test_what_is_added_comes_with_those_that_need_it() -> None:
    before = {"app": installed("1")}
    after = {"app": installed("2", "new>=0.1"), "new": installed("0.1")}
    assert needs((before, after)) == {"app": {"new"}}


def test_what_an_environment_breaks_itself_binds_nobody() -> None:
    before = {"app": installed("1"), "lib": installed("1")}
    after = {"app": installed("2", "lib>=3"), "lib": installed("2")}
    assert needs((before, after)) == {}


def test_a_wheel_of_another_python_comes_with_it() -> None:
    before = {"numpy": Installed("1.26", pythons=frozenset({11})), "six": Installed("1")}
    after = {"numpy": Installed("1.26.1", pythons=frozenset({12})), "six": Installed("2")}
    assert needs((before, after), (11, 12)) == {"numpy": {PLATFORM}, PLATFORM: {"numpy"}}


def test_needs_reach_through_others() -> None:
    assert closures({"a": {"b"}, "b": {"c"}}, ["a", "b", "c"])["a"] == {"a", "b", "c"}


def test_requirements_are_read_from_the_wheel_for_its_platform(tmp_path: Path) -> None:
    requires = [
        "numpy>=1.20",
        "pytest; extra == 'test'",
        "pywin32; sys_platform == 'win32'",
        "tomli; python_version<'3.11'",
    ]
    wheel = make_wheel(tmp_path, "demo", "1.0", requires=requires)
    assert [str(one) for one in read_requirements(wheel, "3.11.7")] == ["numpy>=1.20"]
    assert len(read_requirements(wheel, "3.10.2")) == 2


def test_a_file_that_is_no_wheel_requires_nothing_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"no zip")
    assert read_requirements(tmp_path / "x.whl", "3.11.7") == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("six-1.0-py2.py3-none-any.whl", None),
        ("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl", {11}),
        ("cryptography-1.0-cp37-abi3-manylinux_2_17_x86_64.whl", None),
        ("not a wheel", None),
    ],
)
def test_a_wheels_name_says_for_which_python_it_is(name: str, expected: set[int] | None) -> None:
    assert pythons_of(name) == expected
