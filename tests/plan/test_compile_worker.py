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
from repro.plan.compile_client import VARIABLES
from repro.plan.compile_worker import UnknownFormatError, bytecode, canonical, code_layout
from tests.plan.interpreters import interpreters

WORKER = Path(compile_worker.__file__)
LAYOUT = code_layout(sys.implementation.name, sys.version_info[:3])
STDLIB = Path(sysconfig.get_path("stdlib"))
SAMPLE = ("argparse", "collections/__init__", "dataclasses", "decimal", "enum", "inspect", "pydoc", "tarfile", "typing")

AWKWARD = '''
"""A docstring."""
from __future__ import annotations
import os.path as path
NUMBERS = (0, -1, 255, 256, 70000, 2**31, -2**31 - 1, 10**40, -10**40, 1.5, -0.0, 0.0, 1e400, -1e400, 2j, -0.0j)
TEXTS = ("", "a", "é", "ÿ", "Ā", "naïve", "a b", "x" * 254 + " ", "x" * 255 + " ", "x" * 300, "\\ud800", "\\0", "z_1", "z_1")
BYTES = (b"", b"a", b"\\x00\\xff", b"abc def", b"abc def")
OTHERS = (None, True, False, ..., (), ((), ((),)), ("a", ("a", "b c", ("a", "b c"))))
LARGE = (%s)
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
''' % ", ".join(map(str, range(300)))  # fmt: skip


def sources() -> dict[str, bytes]:
    return {"/awkward.py": AWKWARD.encode(), **{f"/{name}.py": (STDLIB / f"{name}.py").read_bytes() for name in SAMPLE}}


def exact(value: Any) -> Any:
    """A value so that equality tells types, signs of zero, NaN, and every part of code apart."""
    match value:
        case types.CodeType():
            names = [name for name in dir(value) if name.startswith("co_") and not callable(getattr(value, name))]
            return "code", *((name, exact(getattr(value, name))) for name in names if name != "co_lnotab")
        case tuple():
            return "tuple", *map(exact, value)
        case frozenset():
            return "frozenset", frozenset(map(exact, value))
        case slice():
            return "slice", exact(value.start), exact(value.stop), exact(value.step)
        case float():
            return "float", struct.pack("d", value)
        case complex():
            return "complex", struct.pack("dd", value.real, value.imag)
    return type(value).__name__, value


@pytest.mark.parametrize("path", sources())
def test_it_means_the_same(path: str) -> None:
    code = compile(sources()[path], path, "exec", dont_inherit=True)
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


@pytest.mark.parametrize("depth", [10, 60, 200, 2000])
def test_deep_nesting_is_compiled_or_left_out(depth: int) -> None:
    made = bytecode("/x.py", b"f = " + b"lambda: " * depth + b"1\n", LAYOUT)
    assert made is not None or depth > 60


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


SELF_TEST = r"""
import hashlib, importlib.util, json, marshal, sys
spec = importlib.util.spec_from_file_location("compile_worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
names, before = json.loads(sys.argv[2]), json.loads(sys.argv[3])
kept = [__import__(name) for name in before]
if before:
    kept += [sys.intern(chr(n)) for n in range(256)] + [sys.intern(chr(n) + chr(m)) for n in range(127) for m in range(127)]
layout = worker.code_layout(sys.implementation.name, sys.version_info[:3])
made = {}
for path, source in names:
    source = source.encode("utf-8", "surrogateescape")
    data = worker.bytecode(path, source, layout)
    again = compile(source, path, "exec", dont_inherit=True)
    assert marshal.loads(data[16:]) == again
    assert worker.canonical(data[16:], layout) == data[16:]
    made[path] = hashlib.sha256(data).hexdigest()
print(json.dumps(made, sort_keys=True))
"""
MANY = ("argparse", "asyncio", "ctypes", "decimal", "email.message", "http.client", "json", "logging.config", "pydoc",
        "sqlite3", "tarfile", "unittest.mock", "urllib.request", "xml.dom.minidom", "xmlrpc.client")  # fmt: skip


@pytest.mark.parametrize("version", interpreters())
def test_any_order_and_any_past_give_the_same_bytes(version: str) -> None:
    """In processes of each interpreter that there is: forwards; backwards, after many imports; alone."""
    program = interpreters()[version]
    where = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    stdlib = Path(subprocess.run([program, "-I", "-c", where], capture_output=True, text=True, check=True).stdout[:-1])
    jobs = [
        (f"/{name}", (stdlib / f"{name}.py").read_bytes().decode("utf-8", "surrogateescape"))
        for name in (
            *SAMPLE,
            "ast",
            "ctypes/__init__",
            "difflib",
            "optparse",
            "textwrap",
            "turtle",
            "zipfile",
            "shutil",
        )
        if (stdlib / f"{name}.py").is_file()
    ]
    plain = AWKWARD.replace("(a, /, b", "(a, b").replace('"\\ud800", ', "")
    jobs.append(("/awkward.py", plain))

    def made(chosen: list[tuple[str, str]], before: tuple[str, ...] = ()) -> dict[str, str]:
        command = [program, "-s", "-S", "-B", "-W", "ignore", "-c", SELF_TEST, str(WORKER)]
        done = subprocess.run(
            [*command, json.dumps(chosen), json.dumps(before)],
            env=VARIABLES,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    forwards = made(jobs)
    assert len(forwards) > 12
    assert made(jobs[::-1], MANY) == forwards
    for job in jobs[:2]:
        assert made([job]) == {job[0]: forwards[job[0]]}
