"""Conda packages of two locks: each change by what it is, the BLAS first."""

from dataclasses import replace

import pytest

from repro.differ import Change, difference
from repro.lock import CondaPackage, CondaPatch, Lock
from tests.differ.samples import side
from tests.lock.samples import conda_package, digest, full_lock, package

LOCK = full_lock()
PANDAS = conda_package("pandas", "2.2.1", "py311h320fe9a_0", requested=True)
EDIT = CondaPatch("lib/python3.11/site-packages/pandas/_version.py", digest("edited"), 12)


def with_conda(*packages: CondaPackage, **more: object) -> Lock:
    return replace(LOCK, conda=packages, **more)  # type: ignore[arg-type]


def changes(before: Lock, after: Lock) -> list[Change]:
    found = difference(side(before, "a"), side(after, "b"))
    return [change for section in found.sections for change in section.changes if section.group == "packages"]


def only(**changed: object) -> Change:
    (change,) = changes(with_conda(PANDAS), with_conda(replace(PANDAS, **changed)))  # type: ignore[arg-type]
    return change


@pytest.mark.parametrize(
    ("changed", "aspect", "before", "after"),
    [
        ({"version": "2.2.2", "build": "py311h14de704_1"}, "version", "2.2.1", "2.2.2"),
        ({"build": "py311h320fe9a_1"}, "build", "2.2.1 py311h320fe9a_0", "2.2.1 py311h320fe9a_1"),
        ({"sha256": digest("x")}, "rebuilt", PANDAS.sha256.short, digest("x").short),
        (
            {"captured": "2.2.0 py311_0"},
            "captured",
            "2.2.1 py311h320fe9a_0 on the laptop",
            "2.2.0 py311_0 on the laptop",
        ),
        ({"without": ("bin/x",)}, "without", "none left out", "1 left out"),
        ({"patched": (EDIT,)}, "patched", "as published", "edited by hand in 1 file"),
        ({"scripts": "run"}, "scripts", "no post-link script", "post-link script: run"),
    ],
)
def test_a_change_is_named_and_can_move_a_metric(
    changed: dict[str, object], aspect: str, before: str, after: str
) -> None:
    change = only(**changed)
    assert (change.what, change.kind, change.aspect, change.before, change.after) == (
        *("pandas", "changed", aspect, before, after),
    )
    assert (change.moves, change.note) == (True, "conda, direct")


def test_where_the_same_archive_comes_from_moves_nothing() -> None:
    change = only(channel="defaults")
    assert (change.aspect, change.moves, change.details) == ("channel", False, ("its archive is the same",))
    assert not only(requested=False).moves


def test_an_archive_that_was_replaced_under_its_name_is_told_as_that() -> None:
    (line,) = only(sha256=digest("x")).details
    assert (
        line
        == "conda-forge has other bytes under the name of pandas=2.2.1=py311h320fe9a_0: somebody replaced the archive"
    )
    found = changes(with_conda(PANDAS), with_conda(replace(PANDAS, sha256=digest("x"), channel="defaults")))
    assert {(one.aspect, one.moves) for one in found} == {("rebuilt", True), ("channel", True)}
    assert found[0].details == ("pandas=2.2.1=py311h320fe9a_0 is another archive in defaults than in conda-forge",)


def test_another_build_of_a_blas_is_named_by_what_computes() -> None:
    before = with_conda(conda_package("libblas", "3.9.0", "22_linux64_openblas"))
    (change,) = changes(before, with_conda(conda_package("libblas", "3.9.0", "20_linux64_mkl")))
    assert (change.aspect, change.before, change.after) == (
        *("blas", "openblas, 3.9.0 22_linux64_openblas", "mkl, 3.9.0 20_linux64_mkl"),
    )


def test_what_computes_comes_first_and_then_what_was_asked_for() -> None:
    gone = replace(package("yak"), requested=True)
    before = with_conda(packages=(gone,))
    after = with_conda(
        conda_package("zlib"), PANDAS, conda_package("libopenblas", "0.3.27"), packages=(package("six"),)
    )
    assert [(one.what, one.kind, one.note) for one in changes(before, after)] == [
        ("libopenblas", "added", "conda, transitive"),
        ("pandas", "added", "conda, direct"),
        ("yak", "removed", "direct"),
        ("zlib", "added", "conda, transitive"),
        ("six", "added", "transitive"),
    ]


def test_platforms_are_named_where_only_some_of_them_changed() -> None:
    arm = replace(PANDAS, target="linux/arm64", subdir="linux-aarch64", build="py311h0_0")
    before = with_conda(PANDAS, arm)
    both = with_conda(replace(PANDAS, version="2.3.0"), replace(arm, version="2.3.0"))
    assert [one.note for one in changes(before, both)] == ["conda, direct"]
    one = with_conda(replace(PANDAS, version="2.3.0"), arm)
    assert [one.note for one in changes(before, one)] == ["conda, direct, linux/amd64"]


def test_long_lists_of_files_are_cut() -> None:
    change = only(without=tuple(f"bin/tool{number}" for number in range(20)))
    assert change.details[-1] == "and 12 more"
    assert change.details[0] == "left out: bin/tool0"


def test_an_edit_that_became_another_one_is_told() -> None:
    before = with_conda(replace(PANDAS, patched=(EDIT,)))
    other = replace(EDIT, sha256=digest("edited again"))
    (change,) = changes(before, with_conda(replace(PANDAS, patched=(other,))))
    assert change.details == (f"edited otherwise: {EDIT.path}",)
