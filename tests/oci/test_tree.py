"""One layer's tree: its order, its parents, and every contradiction named."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import IntegrityError
from repro.oci.bodies import Inline
from repro.oci.entry import Entry
from repro.oci.tree import complete
from tests.oci import streams
from tests.oci.streams import directory, file, hard_link, link, streamed

UNKNOWN = Entry("pkg/x", "file", 0o644, replace(streamed(b"same"), sha256=None), origin="b.whl")


def paths(entries: list[Entry]) -> list[str]:
    return [entry.path for entry in complete(entries)]


def problems(*entries: Entry) -> Iterator[str]:
    with pytest.raises(IntegrityError) as caught:
        complete(entries)
    return iter(caught.value.problems)


@given(streams.trees, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_entries_doesnt_matter(entries: list[Entry], chance: random.Random) -> None:
    expected = complete(entries)
    chance.shuffle(entries)
    assert complete(entries) == expected
    assert complete(expected) == expected


@given(streams.trees)
@settings(deadline=None)
def test_everything_is_there_once_after_its_directory_and_its_file(entries: list[Entry]) -> None:
    seen = {"": "directory"}
    for entry in complete(entries):
        assert entry.path not in seen
        assert seen[entry.path.rpartition("/")[0]] == "directory"
        if entry.kind == "hardlink":
            assert seen[entry.target] == "file"
        seen[entry.path] = entry.kind
    assert {entry.path for entry in entries} <= set(seen)


def test_paths_come_in_the_order_of_their_bytes() -> None:
    assert paths([file("a/b"), file("a-b"), file("a.b"), file("aa"), file("a/B")]) == [
        "a",
        "a-b",
        "a.b",
        "a/B",
        "a/b",
        "aa",
    ]
    # UTF-16 would have these two the other way round.
    assert paths([file("\U00010000"), file("\uffee")]) == ["\uffee", "\U00010000"]


def test_hard_links_come_last_with_the_mode_of_their_files() -> None:
    found = complete([hard_link("a", "z"), file("z", b"", 0o755)])
    assert [(entry.path, entry.mode) for entry in found] == [("z", 0o755), ("a", 0o755)]


def test_missing_parents_appear_once_with_mode_0755() -> None:
    found = complete([file("a/b/c"), file("a/b/d"), directory("a", 0o700)])
    assert [(entry.path, entry.kind, entry.mode) for entry in found[:2]] == [
        ("a", "directory", 0o700),
        ("a/b", "directory", 0o755),
    ]
    assert len(found) == 4


def test_equal_entries_of_two_origins_become_one_whichever_comes_first() -> None:
    both = [
        Entry("pkg/x", "file", 0o644, Inline(b"same" * 100), origin="b.whl"),
        Entry("pkg/x", "file", 0o644, streamed(b"same" * 100), origin="a.whl"),
    ]
    assert complete(both) == complete(both[::-1])
    assert complete(both)[1].origin == "a.whl"
    for entry in (directory("d"), link("l", "t")):
        assert complete([entry, replace(entry, origin="b.whl")]) == [entry]


@pytest.mark.parametrize(
    "other",
    [
        file("pkg/x", b"other", origin="b.whl"),
        file("pkg/x", b"same", 0o755, origin="b.whl"),
        link("pkg/x", "y", origin="b.whl"),
        directory("pkg/x", origin="b.whl"),
        UNKNOWN,
    ],
)
def test_different_entries_at_one_path_are_refused_with_both_origins(other: Entry) -> None:
    (problem,) = problems(file("pkg/x", b"same"), other)
    assert problem.startswith("pkg/x: a.whl has a file (0644), b.whl has a ")


def test_files_of_unknown_content_are_never_taken_for_equal() -> None:
    assert len(list(problems(UNKNOWN, UNKNOWN))) == 1


def test_directories_of_different_modes_and_links_of_different_targets_are_refused() -> None:
    assert list(problems(directory("d"), directory("d", 0o700, "b.whl"), link("l", "x"), link("l", "y", "b.whl"))) == [
        "d: a.whl has a directory (0755), b.whl has a directory (0700), and they differ",
        "l: a.whl has a symlink (0777), b.whl has a symlink (0777), and they differ",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/a",
        "a/",
        "a//b",
        "a/../b",
        "a/./b",
        "../a",
        "a/..",
        "a\0b",
        ".wh.a",
        "a/.wh.b",
        "a/.wh..wh..opq",
        ".wh.a/b",
    ],
)
def test_paths_that_no_layer_may_hold_are_refused_by_name(path: str) -> None:
    (problem,) = problems(file(path))
    assert problem == f"a.whl: {path!r} is no path that a layer may hold"


@pytest.mark.parametrize(
    "path", ["...", "..a", "a..", ".a", "a.", "a/.b", "wh.a", "a.wh.b", ".w", "a/.\n", "..\n", "a\\..\\b"]
)
def test_odd_but_harmless_paths_are_kept(path: str) -> None:
    assert path in paths([file(path)])


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (link("l", ""), "a.whl: 'l' links to '', which is no path"),
        (link("l", "a\0"), "a.whl: 'l' links to 'a\\x00', which is no path"),
        (file("\udcff"), "a.whl: '\\udcff' is not Unicode text"),
        (link("l", "\udcff"), "a.whl: 'l' is not Unicode text"),
        (file("f", b"", 0o100644), "a.whl: 'f' has the mode 0o100644, which is not only permissions"),
        (Entry("f", "file", 0o644), "the image plan: 'f' is a file without content"),
        (Entry("d", "directory", 0o755, Inline(b"")), "the image plan: 'd' is a directory with content"),
    ],
)
def test_impossible_entries_are_refused_by_name(entry: Entry, problem: str) -> None:
    assert list(problems(entry)) == [problem]


@pytest.mark.parametrize("above", [file("a", origin="b.whl"), link("a", "elsewhere", "b.whl")])
def test_what_lies_below_a_file_or_a_link_is_refused(above: Entry) -> None:
    assert list(problems(file("a/b/c"), above)) == [f"a/b/c of a.whl is below a of b.whl, a {above.kind}"]


def test_a_hard_link_needs_a_file_of_the_layer() -> None:
    assert list(problems(hard_link("a", "gone"), hard_link("b", "dir"), directory("dir"))) == [
        "a.whl: a is a hard link to gone, which is no file of this layer",
        "a.whl: b is a hard link to dir, which is no file of this layer",
    ]


def test_all_problems_are_told_at_once_in_one_order() -> None:
    entries = [file("../x"), file("p", b"1"), file("p", b"2", origin="b.whl"), hard_link("h", "none")]
    assert list(problems(*entries)) == list(problems(*entries[::-1]))
    assert len(list(problems(*entries))) == 3
