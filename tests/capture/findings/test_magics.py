"""IPython's cells as Python: line for line, whatever is in them."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.capture.findings.magics import translate


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!ls -l", "pass"),
        ("x = !ls\ny = %env A", "x = None\ny = None"),
        ("d['a'] = !ls", "d['a'] = None"),
        ("a, b = !ls", "a, b = None"),
        ("df?\n?df\ndf.head??", "pass\npass\npass"),
        ("if x:\n    !ls\n    %cd y", "if x:\n    pass\n    pass"),
        ("!echo a \\\n  b\nx = 1", "pass\n\nx = 1"),
        ("%time y = f(1)", "y = f(1)"),
        ("%timeit -n 10 -r3 f(1)", "f(1)"),
        ("%time", "pass"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%time\n\nx = 1", "\n\n\nx = 1"),
        ("%%capture out\nprint(1)", "out = None\nprint(1)"),
        ("%%capture --no-stderr\nprint(1)", "\nprint(1)"),
        ("%%time\n%%capture\nx = 1", "\n\nx = 1"),
        ("%%bash --out text\nls | wc", "text = None\n"),
        ("%%html\n<b>", "\n"),
        ("%%sql\nselect 1", "from __magic__ import *\n"),
        ("%run other.ipynb", "from __magic__ import *"),
        ("%store -r a b", "a = None; b = None"),
        ("pip install x\nls", "pass\npass"),
        ("ls -l\ncd data", "pass\npass"),
        # what only looks like a magic
        ("x = (1\n% 2)", "x = (1\n% 2)"),
        ("x = '''\n%time\n!ls\n'''", "x = '''\n%time\n!ls\n'''"),
        ("x = 5 \\\n% 3", "x = 5 \\\n% 3"),
        ("f(\n  'a'  # it's (\n)\n%time", "f(\n  'a'  # it's (\n)\npass"),
        ("print('=%d' % x)\na = b != c", "print('=%d' % x)\na = b != c"),
        ("# really?\nx = 'why?'", "# really?\nx = 'why?'"),
        ("time = 1\ntime + 1\nls = [1]\nls[0]", "time = 1\ntime + 1\nls = [1]\nls[0]"),
        ("x %= 3", "x %= 3"),
    ],
)
def test_what_a_cell_is_in_python(source: str, python: str) -> None:
    assert translate(source).text == python


def test_what_is_taken_out_is_kept_with_its_line() -> None:
    magics = translate("x = 1\n!pip install a\nif x:\n    %pip install b").magics
    assert [(one.line, one.name, one.text, one.indented) for one in magics] == [
        (2, "!", "pip install a", False),
        (4, "pip", " install b", True),
    ]


def test_cells_of_other_languages_are_kept_whole() -> None:
    (magic,) = translate("%%bash\nset -e\npip install x").magics
    assert (magic.name, magic.text) == ("%%bash", "\nset -e\npip install x")


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab =()[]{}'\"\\\n%!?#,;:.", max_size=40))
def test_lines_stay_where_they_are_in_any_text(source: str) -> None:
    assert len(translate(source).lines) == len(source.split("\n"))


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab =()[]'\"\\\n%#:.", max_size=30))
def test_python_stays_as_it_is(source: str) -> None:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return
    assert ast.dump(ast.parse(translate(source).text)) == ast.dump(ast.parse(source))
