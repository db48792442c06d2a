"""Canonical bytecode: nothing but the values counts, and it means what the interpreter's own means."""

import importlib.util
import json
import marshal
import struct
import subprocess
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.plan import compile_worker
from repro.plan.compile_client import VARIABLES, Workers
from repro.plan.compile_worker import REFUSED, UnknownFormatError, bytecode, canonical, code_layout, same
from tests.plan.interpreters import interpreters

WORKER = Path(compile_worker.__file__)
ROOT = WORKER.parents[2]
LAYOUT = code_layout(sys.implementation.name, sys.version_info[:3])
STDLIB = Path(sysconfig.get_path("stdlib"))
SAMPLE = ("argparse", "collections/__init__", "dataclasses", "decimal", "enum", "inspect", "pydoc", "tarfile", "typing")

AWKWARD = '''
"""A docstring."""
from __future__ import annotations
import os.path as path
NUMBERS = (0, -1, 255, 256, 70000, 2**31, -2**31 - 1, 10**40, -10**40, 1.5, -0.0, 0.0, 1e400, -1e400, 2j, -0.0j)
TEXTS = ("", "a", "é", "ÿ", "Ā", "naïve", "a b", "x" * 254 + " ", "x" * 255 + " ", "x" * 300, "\\ud800", "\\0", "z_1")
BYTES = (b"", b"a", b"\\x00\\xff", b"abc def", b"abc def")
OTHERS = (None, True, False, ..., (), ((), ((),)), ("a", ("a", "b c", ("a", "b c"))))
LARGE = (LONG)
def f(a, /, b, *args, c=frozenset({1}), d="a b", **kwargs):
    nonlocal_ = 1
    class Inner(dict, metaclass=type):
        "x"
        def g(self):
            nonlocal nonlocal_
            nonlocal_ += 1
            self.one, self.two, self.three = a, b, c
            return [y for y in range(10) if y in {"a", "b c", 3, (1, 2), None, 1.5}], lambda: (a, b, __class__)
    try:
        return Inner, a in {"x", "y z", "w"}, b not in {1, 2, 3}, args[1:2], args[::3]
    finally:
        (lambda: 1)(), (lambda: 1)()
async def naïve(**ü):
    async for x in ü:
        yield x
'''.replace("LONG", ", ".join(map(str, range(300))))


def sources() -> dict[str, bytes]:
    return {"/awkward.py": AWKWARD.encode(), **{f"/{name}.py": (STDLIB / f"{name}.py").read_bytes() for name in SAMPLE}}


def exact(value: Any) -> Any:
    """A value so that equality tells types, signs of zero, NaN, and every part of code apart."""
    match value:
        case types.CodeType():
            shown = [name for name in dir(value) if name.startswith("co_") and name != "co_lnotab"]
            values = [(name, getattr(value, name)) for name in shown]
            inner: Any = [(name, exact(part)) for name, part in values if not callable(part)]
        case tuple():
            inner = [*map(exact, value)]
        case frozenset():
            inner = frozenset(map(exact, value))
        case slice():
            inner = exact((value.start, value.stop, value.step))
        case float() | complex():
            inner = struct.pack("dd", value.real, value.imag)
        case _:
            inner = value
    return type(value).__name__, tuple(inner) if isinstance(inner, list) else inner


@pytest.mark.parametrize("path", sources())
def test_it_means_the_same(path: str) -> None:
    code = compile(sources()[path], path, "exec", dont_inherit=True)
    made = bytecode(path, sources()[path], LAYOUT)
    assert made is not None
    assert exact(marshal.loads(made[16:])) == exact(code)
    made = canonical(marshal.dumps(code), LAYOUT)
    assert exact(marshal.loads(made)) == exact(code)
    assert canonical(made, LAYOUT) == made
    assert len(made) < len(marshal.dumps(code)) * 1.02


@pytest.mark.parametrize("path", sources())
def test_it_has_forgotten_who_shared_what(path: str) -> None:
    """The same code with every string its own object, with all of them interned, and with references everywhere."""
    code = compile(sources()[path], path, "exec", dont_inherit=True)
    made = canonical(marshal.dumps(code), LAYOUT)
    loaded = marshal.loads(marshal.dumps(code))
    kept = list(parts(loaded))
    assert canonical(marshal.dumps(loaded), LAYOUT) == made
    interned = [sys.intern(part) for part in parts(code) if isinstance(part, str)]
    assert canonical(marshal.dumps(code), LAYOUT) == made
    assert len(kept) >= len(interned) > 0


def parts(value: Any) -> list[Any]:
    if isinstance(value, types.CodeType):
        inner = [value.co_consts, value.co_names, value.co_varnames, value.co_name, value.co_filename]
    else:
        inner = list(value) if isinstance(value, tuple | frozenset) else []
    return [value, *(part for one in inner for part in parts(one))]


LEAVES = (
    st.none() | st.booleans() | st.just(...) | st.integers() | st.floats() | st.complex_numbers() | st.binary()
    | st.text(st.characters(), max_size=5) | st.text("ab_ 1", max_size=300)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5).map(tuple) | st.frozensets(inner, max_size=5), max_leaves=40
)


@given(VALUES)
@settings(deadline=None, max_examples=300)
def test_any_constant_survives_and_sharing_does_not_count(value: Any) -> None:
    twice = (value, value, marshal.loads(marshal.dumps(value, 2)))
    made = canonical(marshal.dumps(twice), LAYOUT)
    assert exact(marshal.loads(made)) == exact(twice)
    unshared = marshal.loads(marshal.dumps(twice, 2))  # version 2 knows no references
    assert canonical(marshal.dumps(unshared), LAYOUT) == made
    assert canonical(made, LAYOUT) == made


@given(st.lists(LEAVES, max_size=8, unique_by=lambda value: repr(exact(value))))
@settings(deadline=None)
def test_sets_are_in_one_order(values: list[Any]) -> None:
    made = {canonical(marshal.dumps(frozenset(order)), LAYOUT) for order in (values, values[::-1])}
    same = len({repr(exact(frozenset(order))) for order in (values, values[::-1])}) == 1  # 1, 1.0 and True are equal
    assert len(made) == 1 or not same


@pytest.mark.parametrize("value", [[], {}, {1}, [1], ("a", {"b": 1})])
def test_what_no_code_holds_is_refused(value: object) -> None:
    with pytest.raises(UnknownFormatError, match="unknown type"):
        canonical(marshal.dumps(value), LAYOUT)


@pytest.mark.parametrize(
    ("implementation", "version"), [("pypy", (3, 10, 14)), ("cpython", (3, 7, 9)), ("cpython", (3, 15, 0))]
)
def test_an_unknown_interpreter_is_refused_by_name(implementation: str, version: tuple[int, ...]) -> None:
    with pytest.raises(UnknownFormatError, match=f"{implementation} {'.'.join(map(str, version))}"):
        code_layout(implementation, version)


BROKEN = {
    "Python 2": b"print 'x'\n",
    "a template": b"class {{name}}:\n    pass\n",
    "a null byte": b"x = 1\0\n",
    "no such encoding": b"# coding: nonsense\n",
    "not UTF-8": b"x = '\xff'\n",
    "too deep": b"(" * 5000,
    "return outside": b"return 1\n",
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=list(BROKEN))
def test_what_does_not_compile_has_no_bytecode(source: bytes) -> None:
    assert bytecode("/x.py", source, LAYOUT) is None


@pytest.mark.parametrize("depth", [10, 60, 99, 2000])
def test_deep_nesting_is_compiled_or_left_out_at_once(depth: int) -> None:
    """Comparing code objects by `==` takes twice as long for each level."""
    made = bytecode("/x.py", b"f = " + b"lambda: " * depth + b"1\n", LAYOUT)
    assert (made is None) == (depth == 2000)


DIFFERENT = [
    ("x = 1", "x = 1.0"),
    ("x = 0.0", "x = -0.0"),
    ("x = 1", "x = True"),
    ("x = (1, 2)", "x = (1, 2, 3)"),
    ("x = 1", "y = 1"),
    ("def f():\n  def g(): return 1", "def f():\n  def g(): return 2"),
    ("x = 1", "\nx = 1"),
    ("x in {1, 2}", "x in {1, 3}"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_code_that_differs_is_not_the_same(one: str, other: str) -> None:
    first, second = (compile(source, "/x.py", "exec") for source in (one, other))
    assert same(first, compile(one, "/x.py", "exec"))
    assert not same(first, second)
    assert not same(first, compile(one, "/y.py", "exec"))


def test_it_is_imported_instead_of_the_source_whatever_that_says(tmp_path: Path) -> None:
    source = b"def f():\n    raise ValueError(__file__)\n"
    made = bytecode("/opt/env/lib/x.py", source, LAYOUT)
    assert made is not None
    assert made[:4] == importlib.util.MAGIC_NUMBER
    assert made[4:8] == b"\x01\0\0\0"
    assert made[8:16] == importlib.util.source_hash(source)
    (tmp_path / "x.py").write_text("raise SystemExit('the source was looked at')\n")
    place = Path(importlib.util.cache_from_source(tmp_path / "x.py"))
    place.parent.mkdir()
    place.write_bytes(made)
    code = "import x\ntry:\n    x.f()\nexcept ValueError as e:\n    print(e, e.__traceback__.tb_next.tb_frame.f_lineno)"
    done = subprocess.run([sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'x.py'} 2\n"
    assert marshal.loads(made[16:]).co_filename == "/opt/env/lib/x.py"


LATE = r"""
import importlib.util, json, marshal, sys
spec = importlib.util.spec_from_file_location("compile_worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
kept = [__import__(name) for name in sys.argv[2:]]
kept += [sys.intern(chr(n)) for n in range(256)] + [sys.intern(chr(n) + chr(m)) for n in range(127) for m in range(127)]
layout = worker.code_layout(sys.implementation.name, sys.version_info[:3])
jobs = json.load(sys.stdin)
def intern(value):
    if isinstance(value, str):
        kept.append(sys.intern((value + " ")[:-1]))  # a copy: the compiler's own are as they are
    elif isinstance(value, (tuple, frozenset)):
        list(map(intern, value))
    elif isinstance(value, type(intern.__code__)):
        list(map(intern, (value.co_consts, value.co_names, value.co_varnames, getattr(value, "co_qualname", ""))))
for path, source in jobs:
    kept += [sys.intern(path), compile(source, path, "exec", dont_inherit=True)]
    intern(kept[-1])
made = {}
for path, source in jobs:
    data = worker.bytecode(path, source.encode(), layout)
    assert worker.same(marshal.loads(data[16:]), compile(source, path, "exec", dont_inherit=True)), path
    made[path] = data.hex()
json.dump(made, sys.stdout)
"""
"""Compiles in a process that has a past: many imported modules, every text of the sources interned, and code kept."""

PAST = ("asyncio", "ctypes", "email.message", "http.client", "logging.config", "pydoc", "sqlite3", "unittest.mock")
SETS = """
def one(a):
    return a in {"passthrough", "drop"}, a in {"y z", "w"}
def other(a):
    return a in {"drop", "passthrough"}, a in {"passthrough", "w"}
"""
INNER = """
import os.path
def outer(naïve):
    class Inner:
        "Its qualified name is a constant, too."
    return Inner, "os.path", "naïve", "<lambda>", lambda: "<module>"
"""
PLAIN = AWKWARD.replace("(a, /, b", "(a, b").replace('"\\ud800", ', "")
NAMES = (*SAMPLE, "ast", "ctypes/__init__", "difflib", "optparse", "textwrap", "shutil", "zipfile")


@pytest.mark.parametrize("version", interpreters())
def test_any_order_and_any_past_give_the_same_bytes(version: str) -> None:
    """From each interpreter that there is: two processes, one backwards, one for a source, one after much else."""
    program = interpreters()[version]
    stdlib = Path(ask(program, "import sysconfig; print(sysconfig.get_path('stdlib'))"))
    found = {f"/{name}.py": stdlib / f"{name}.py" for name in NAMES if (stdlib / f"{name}.py").is_file()}
    jobs = [("/awkward.py", PLAIN), ("/sets.py", SETS), ("/inner.py", INNER)]
    jobs += [(path, place.read_text("utf-8")) for path, place in found.items()]
    by_two = by_workers(program, jobs, 2)
    assert len(by_two) > 8
    assert all(by_two.values())
    assert by_workers(program, jobs[::-1], 1) == by_two
    assert by_workers(program, jobs[3:4], 1).items() <= by_two.items()
    assert late(program, jobs[::-1]) == by_two


def by_workers(program: str, jobs: list[tuple[str, str]], count: int) -> dict[str, bytes | None]:
    with Workers([program], {}, str(WORKER), count) as workers:
        return dict(workers.compile((path, source.encode()) for path, source in jobs))


def late(program: str, jobs: list[tuple[str, str]]) -> dict[str, bytes]:
    command = [program, "-B", "-W", "ignore", "-c", LATE, str(WORKER), *PAST]
    done = subprocess.run(command, input=json.dumps(jobs), env=VARIABLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path: bytes.fromhex(data) for path, data in json.loads(done.stdout).items()}


def ask(program: str, code: str) -> str:
    return subprocess.run([program, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_hash_seed_does_not_count() -> None:
    source = b"def f(x):\n    return x in {'a', 'b c', 'd', 1, 2.5, (1, 'e'), None}\n"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from repro.plan import compile_worker as w\n"
    code += f"print(w.bytecode('/x.py', {source!r}, w.code_layout('cpython', sys.version_info[:3])).hex())"
    seeds = ("0", "1", "2", "3")
    made = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in seeds
    }
    assert len(made) == 1


def test_an_interpreter_that_is_not_known_says_so_and_ends() -> None:
    """Only what it calls itself is another: a real one that is too old or too new isn't on every machine."""
    code = (
        f"import runpy, sys; sys.version_info = (3, 99, 0); sys.argv = [{str(WORKER)!r}]; "
        f"runpy.run_path({str(WORKER)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert done.stderr == "bytecode of cpython 3.99.0 isn't known, only that of CPython 3.8 to 3.14\n"
