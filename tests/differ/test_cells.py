"""Changes in sources told by what they do: cells and definitions, not lines and layout."""

import json

import pytest

from repro.differ.cells import compare_sources, source_texts


def notebook(*cells: str, outputs: object = (), texts: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> bytes:
    code = [
        {
            "cell_type": "code",
            "source": cell,
            "metadata": {"tags": list(tags)},
            "outputs": outputs,
            "execution_count": 1,
        }
        for cell in cells
    ]
    words = [{"cell_type": "markdown", "source": text, "metadata": {}} for text in texts]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [*words, *code]}).encode()


def lines(path: str, before: bytes, after: bytes) -> tuple[str, ...]:
    edit = compare_sources(path, before, after)
    assert edit.extent == "content"
    return edit.lines


def test_a_changed_cell_is_named_with_its_lines() -> None:
    found = lines("n.ipynb", notebook("a = 1", "b = a"), notebook("a = 1", "b = a + 1"))
    assert found == ("cell 2: changed", "  - b = a", "  + b = a + 1")


def test_new_and_removed_cells_do_not_make_the_others_new() -> None:
    found = lines("n.ipynb", notebook("a = 1", "b = 2", "c = 3"), notebook("z = 0", "a = 1", "c = 3"))
    assert found == ("cell 1: new", "  + z = 0", "cell 2: removed", "  - b = 2")


def test_cells_in_another_order_are_told_as_such() -> None:
    found = lines("n.ipynb", notebook("a = 1", "b = 2"), notebook("b = 2", "a = 1"))
    assert found == ("cell 1 was cell 2: the order changed",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (notebook("a = 1"), notebook("a = 1  # one")),
        (notebook("a = [1,2]"), notebook("a = [\n    1,\n    2,\n]")),
        (notebook("a = 1"), notebook("a = 1", "# nothing")),
        (notebook("%time a = 1"), notebook("%time a = 1\n")),
    ],
)
def test_comments_and_layout_of_cells_change_nothing(before: bytes, after: bytes) -> None:
    assert compare_sources("n.ipynb", before, after).extent == "comments"


@pytest.mark.parametrize(
    "after",
    [notebook("a = 1", outputs=[{"output_type": "stream", "text": "x"}]), notebook("a = 1", texts=("# Title",))],
)
def test_outputs_and_texts_of_a_notebook_change_nothing(after: bytes) -> None:
    assert compare_sources("n.ipynb", notebook("a = 1"), after).extent == "outputs"


@pytest.mark.parametrize(
    "after",
    [
        notebook("%timeit a = 1"),
        notebook("!pip install x"),
        notebook("a = 1", tags=("skip-execution",)),
        notebook("a = 'x  '"),
        notebook("a = "),
    ],
)
def test_magics_tags_texts_and_broken_cells_count(after: bytes) -> None:
    assert compare_sources("n.ipynb", notebook("a = 1"), after).extent == "content"


def test_sources_as_lists_of_lines_are_the_same_as_texts() -> None:
    listed = json.loads(notebook("a = 1\nb = 2"))
    listed["cells"][0]["source"] = ["a = 1\n", "b = 2"]
    assert compare_sources("n.ipynb", notebook("a = 1\nb = 2"), json.dumps(listed).encode()).extent == "outputs"


def test_changed_definitions_of_a_module_are_named() -> None:
    before = b"import a\n\ndef f(x):\n    return x\n\n@a.b\nclass C:\n    y = 1\n\nz = 1\n"
    after = b"import a\n\ndef f(x):\n    # twice\n    return 2 * x\n\n@a.c\nclass C:\n    y = 1\n\nz = 1\n"
    found = lines("m.py", before, after)
    assert found[0] == "function f: changed"
    assert "  +     return 2 * x" in found
    assert "class C: changed" in found
    assert not any("line" in line for line in found)


@pytest.mark.parametrize(
    ("path", "before", "after", "extent"),
    [
        ("m.py", b"a = 1\n", b"# c\n\na=1\n", "comments"),
        ("m.py", b"a = 1\r\n", b"a = 1\n", "comments"),
        ("m.py", b"a = 1\n", b"a = (\n", "content"),
        ("c.json", b'{"a": 1}', b'{\n  "a": 1\n}', "layout"),
        ("c.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', "content"),
        ("c.yaml", b"a: 1\n", b"# c\na:   1\n", "layout"),
        ("c.yaml", b"a: 1\n", b"a: 2\n", "content"),
        ("c.toml", b"a = 1\n", b"a  = 1 # c\n", "layout"),
        ("c.toml", b"a = 1\n", b"a = \n", "content"),
        ("s.sh", b"ls\n", b"ls -a\n", "content"),
        ("x.so", b"\xff\x00", b"\xff\x01", "content"),
    ],
)
def test_each_kind_of_file_by_its_own_rules(path: str, before: bytes, after: bytes, extent: str) -> None:
    assert compare_sources(path, before, after).extent == extent


def test_what_is_no_notebook_is_compared_as_text() -> None:
    edit = compare_sources("n.ipynb", b'{"nbformat": 3}', b'{"nbformat": 3, "x": 1}')
    assert edit.extent == "content"


def test_long_changes_are_shortened() -> None:
    found = lines("m.py", b"", "\n".join(f"a{n} = {n}" for n in range(40)).encode())
    assert len(found) <= 80
    long = lines("m.py", b"def f():\n    pass\n", b"def f():\n" + b"".join(b"    a = %d\n" % n for n in range(40)))
    assert long[-1].startswith("  … and ")


def test_texts_of_sources() -> None:
    assert source_texts("n.ipynb", notebook("a = 1", "b", texts=("# t",))) == ["a = 1", "b"]
    assert source_texts("m.py", b"a = 1\n") == ["a = 1\n"]
