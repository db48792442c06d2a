"""Names used before they are defined, by Python's scoping; and what isn't Python."""

from dataclasses import replace

import pytest

from repro.capture.findings import Run, find
from tests.capture.findings.notebooks import after, notebook, of, script

RULE = "undefined-name"


def names(*cells: str) -> list[tuple[str, str, int | None, int | None]]:
    """Level, name, cell, line."""
    found = of(RULE, notebook(*cells))
    return [
        (one.level, one.what.split("`")[-2 if "needs" in one.what else 1], one.place.cell, one.place.line)
        for one in found
    ]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["print(x)", "x = 1"], [("error", "x", 1, 1)]),
        (["x"], [("error", "x", 1, 1)]),
        (["y = 1\nx = z\nz = 2"], [("error", "z", 1, 2)]),
        (["x = x + 1"], [("error", "x", 1, 1)]),
        (["x += 1"], [("error", "x", 1, 1)]),
        (["x = 1\ndel x", "x"], [("error", "x", 2, 1)]),
        (["del x"], [("error", "x", 1, 1)]),
        (["if a:\n    b\na = 1"], [("error", "a", 1, 1), ("warning", "b", 1, 2)]),
        (["for i in items:\n    pass"], [("error", "items", 1, 1)]),
        (["[x for x in xs]"], [("error", "xs", 1, 1)]),
        (["[y for x in [1]]"], [("warning", "y", 1, 1)]),
        (["[i for i in [1]]\ni"], [("error", "i", 1, 2)]),
        (["@d\ndef f(): pass"], [("error", "d", 1, 1)]),
        (["def f(a=b): pass"], [("error", "b", 1, 1)]),
        (["class A(B): pass"], [("error", "B", 1, 1)]),
        (["class A:\n    x = y"], [("error", "y", 1, 2)]),
        (["class A:\n    x = 1\nx"], [("error", "x", 1, 3)]),
        (["class A:\n    x = 1\n    def f(self): return x"], [("warning", "x", 1, 3)]),
        (["def f(): return y"], [("warning", "y", 1, 1)]),
        (["f = lambda a: a + b"], [("warning", "b", 1, 1)]),
        (["def f(): return y", "f()", "y = 1"], [("error", "y", 2, 1)]),
        (["def g(): return y\ndef f(): return g()", "f()", "y = 1"], [("error", "y", 2, 1)]),
        (["def f(): return g()\nf()\ndef g(): return 1"], [("error", "g", 1, 2)]),
        (["with open('a') as f:\n    pass\nf, g"], [("error", "g", 1, 3)]),
        (["try:\n    x\nexcept ValueError:\n    pass"], [("error", "x", 1, 2)]),
        (["try:\n    pass\nexcept Missing:\n    pass"], [("warning", "Missing", 1, 3)]),
        (["match a:\n    case 1: pass"], [("error", "a", 1, 1)]),
        (["import a.b", "b"], [("error", "b", 2, 1)]),
        (["f'{x}'"], [("error", "x", 1, 1)]),
        (["__file__"], [("error", "__file__", 1, 1)]),
        (["if False:\n    x = 1\nx"], []),
        (["_ = 5\n_1, _i2, __, In, Out, get_ipython(), display"], []),
        (["_99999999"], [("error", "_99999999", 1, 1)]),
        (["x: int\nx"], [("error", "x", 1, 2)]),
        (["await f()"], [("error", "f", 1, 1)]),
    ],
)
def test_names_that_a_run_from_the_top_misses(cells: list[str], found: list[tuple[str, str, int, int]]) -> None:
    assert names(*cells) == found


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 1", "print(x)"],
        ["def f(): return y", "y = 1", "f()"],
        ["def f():\n    return y", "y = 1"],
        ["def f():\n    if cached:\n        return 1\n    return y", "cached = True\nf()", "y = 1"],
        ["def f():\n    global x\n    x = 1", "f()\nx"],
        ["def f():\n    yield y", "f()", "y = 1"],
        ["import atexit\n@atexit.register\ndef f(): return y", "f()", "y = 1"],
        ["if a := 1:\n    a"],
        ["[b := i for i in [1]]\nb"],
        ["for i in [1]:\n    if i: print(last)\n    last = i"],
        ["while True:\n    x = 1\n    break\nprint(x)"],
        ["try:\n    x\nexcept NameError:\n    x = 1"],
        ["try:\n    x\nexcept:\n    pass"],
        ["try:\n    import a\nexcept ImportError as error:\n    a = None\nprint(a)"],
        ["from math import *", "sin(1)\nundefined"],
        ["%run other.ipynb", "undefined"],
        ["%pylab inline", "plot(1)"],
        ["%%sql\nselect 1", "result"],
        ["exec('x = 1')", "x"],
        ["globals()['x'] = 1", "x"],
        ["if 'x' not in globals():\n    x = 1\nx"],
        ["get_ipython().run_line_magic('run', 'a.py')", "x"],
        ["%%capture out\nprint(1)", "out.show()"],
        ["files = !ls", "files[0]"],
        ["this isn't Python", "anything"],
        ["match [1]:\n    case [a, *b]: print(a, b)\n    case {'k': c, **d}: print(c, d)\n    case int() as e: e"],
        ["class A:\n    x = 1\n    y = [x]\n    def f(self): return __class__"],
        ["def f(a, /, b, *c, d=1, **e): return a, b, c, d, e"],
        ["def f():\n    def g():\n        nonlocal x\n        x = 1\n    x = 0\n    g()\n    return x"],
        ["lambda *a, **k: (a, k, [z for z in a])"],
        ["{k: v for k, v in {}.items() if k for w in v if w}"],
        ["sum(f(x) for x in [1])", "def f(x): return x"],
        ["async def f():\n    async with a as b, b: pass\n    async for c in b: c", "a = 1"],
        ["import os.path as p, sys\np, sys", "from . import x\nx"],
        ["with open('a') as (a, b):\n    a, b"],
        ["a = b = 1\na, (c, *d) = 1, (2, 3)\na, b, c, d"],
        ["x = 1\ndel x\nx = 2\nx"],
        ["x = 1\nfor i in [1]:\n    del x\nx"],
        ["if False:\n    undefined"],
        ["print(__name__, __doc__)\nif __name__ == '__main__':\n    pass"],
        ["x: 'Later' = 1\ndef f(a: Later) -> Later: pass\nclass Later: pass"],
        ["ls", "pwd"],
        ["raise StopIteration from ValueError()"],
    ],
)
def test_no_alarm(cells: list[str]) -> None:
    assert names(*cells) == []


def test_type_parameters_are_names_of_their_own() -> None:
    source = "type A[T] = list[T]\ndef f[T](a: T) -> T: return a\nclass B[T]:\n    def f(self) -> T: ..."
    assert [one for one in find(notebook(source)) if one.rule == RULE] == []  # before Python 3.12 it can't be read


def test_what_it_says_and_how_to_cure_it() -> None:
    later, nowhere, gone = of(RULE, notebook("x", "y", "x = z = 1\ndel z", "z"))
    assert later.what == "`x` is used here, but defined only in cell 3"
    assert "Define `x` above its first use" in later.cure
    assert nowhere.what == "`y` is used, but the notebook never defines it"
    assert gone.what == "`z` is used, but deleted in cell 3"
    (called,) = of(RULE, notebook("def f(): return y", "f()", "y = 1"))
    assert called.what == "`f()` needs `y` here, but defined only in cell 3"


def test_each_name_is_told_once() -> None:
    assert names("x", "x", "x") == [("error", "x", 1, 1)]


def test_scripts_have_a_file_and_no_ipython() -> None:
    assert [one.what for one in of(RULE, script("__file__\ndisplay"))] == [
        "`display` is used, but the script never defines it"
    ]


def test_cells_that_are_expected_to_fail_or_never_run_are_left_alone() -> None:
    source = notebook("missing", "also_missing", tags=[["raises-exception"], ["skip-execution"]])
    assert of(RULE, source) == []


def test_names_of_cells_that_never_run_are_missing_elsewhere() -> None:
    assert len(of(RULE, notebook("x = 1", "x", tags=[["skip-execution"]]))) == 1


def test_after_a_run_that_succeeded_an_error_is_a_warning() -> None:
    (finding,) = after(RULE, notebook("x"), Run())
    assert finding.level == "warning"


def test_what_is_no_python_is_told_with_its_line() -> None:
    (finding,) = of("syntax-error", notebook("x = 1", "y = 1\nprint 'x'"))
    assert (finding.level, finding.place.cell, finding.place.line) == ("error", 2, 2)
    assert after("syntax-error", notebook("x = ("), Run()) == []


def test_a_newer_python_may_know_better() -> None:
    (finding,) = of("syntax-error", replace(notebook("x = ("), python="3.99.1"))
    assert finding.level == "note"
