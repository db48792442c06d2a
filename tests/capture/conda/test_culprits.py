"""Which captured versions stand in each other's way."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from repro.capture.conda.culprits import _minimal, find_culprits
from repro.capture.conda.solve import Channel, Question, Solver
from tests.capture.conda.platforms import FORGE, Index, at, entry, write_index


def solver(folder: Path, *index: Index) -> Solver:
    write_index(folder, *index)
    return Solver.open([Channel("conda-forge", FORGE)], "linux-64", at({FORGE: folder}), {})


def test_each_group_is_found_and_what_would_be_there_without_them(tmp_path: Path) -> None:
    index = [
        *(entry(f"{name}={version}=0") for name in ("a", "b", "free") for version in ("1.0", "2.0")),
        entry("x=1.0=0", "a >=2"),
        entry("x=2.0=0", "a"),
        entry("y=1.0=0", "b >=2"),
    ]
    constraints = {name: f"{name} ==1.0" for name in ("a", "b", "free", "x", "y")}

    groups, found = find_culprits(solver(tmp_path, *index), Question(("free", "x", "y"), ()), constraints)

    assert [group.names for group in groups] == [("a", "x"), ("b",)]
    assert all(group.versions_matter for group in groups)
    assert [f"{one.name}={one.version}" for one in found] == ["a=2.0", "b=2.0", "free=1.0", "x=2.0", "y=1.0"]
    assert "a >=2" in groups[0].message
    assert "y" not in groups[0].message.split()


def test_what_was_asked_for_and_fits_in_no_version(tmp_path: Path) -> None:
    index = [entry("x=1.0=0", "a >=2"), entry("y=1.0=0", "a <2"), entry("z=1.0=0"), entry("a=1.0=0"), entry("a=2.0=0")]

    groups, found = find_culprits(solver(tmp_path, *index), Question(("x", "y", "z"), ()), {"z": "z ==1.0"})

    assert [(group.names, group.versions_matter) for group in groups] == [(("x", "y"), False)]
    assert found == ()


def test_nothing_is_found_where_everything_fits(tmp_path: Path) -> None:
    groups, found = find_culprits(solver(tmp_path, entry("z=1.0=0")), Question(("z",), ()), {"z": "z ==1.0"})

    assert groups == []
    assert [one.name for one in found] == ["z"]


@settings(deadline=None, max_examples=60)
@given(st.sets(st.sampled_from("abcdefghij"), min_size=1), st.sets(st.sampled_from("abcdefghij")))
def test_the_part_that_is_found_is_as_small_as_can_be(culprits: set[str], others: set[str]) -> None:
    items = sorted(culprits | others)

    found = _minimal(items, lambda some: not culprits <= set(some))

    assert sorted(found) == sorted(culprits)


def test_nothing_is_to_blame_where_nothing_helps() -> None:
    assert _minimal(["a"], lambda _: False) == []
