"""Sources become the .pyc files that the image's interpreter would look for, or one error says why not."""

import importlib.util
import itertools
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from repro_oci.bytecode import Compiler, compile_entries
from repro_oci.image_python import Command

from repro.errors import InfrastructureError, IntegrityError
from repro.oci.bodies import Inline
from repro.oci.entry import Body, Entry
from repro.plan.bytecode import cache_tag
from tests.plan.interpreters import interpreters

VERSION = ".".join(map(str, sys.version_info[:3]))
TAG = cache_tag(VERSION)
OURS = Command((sys.executable,), {})
SITE = "/opt/env/lib/python3.11/site-packages"
SOURCES: dict[str, bytes] = {
    f"{SITE}/b/__init__.py": b"from .c import X\n",
    f"{SITE}/b/c.py": b"# coding: latin-1\nX = '\xe9'\n",
    f"{SITE}/a.py": b"def f(x): return x in {'a', 'b', 1}\n",
    f"{SITE}/B.py": b"",
    f"{SITE}/template.py": b"class {{name}}: pass\n",
}


def bodies(sources: dict[str, bytes] = SOURCES) -> list[tuple[str, Body]]:
    return [(path, Inline(data)) for path, data in sources.items()]


def contents(entries: list[Entry]) -> dict[str, bytes]:
    return {entry.path: b"".join(entry.body.plain()) for entry in entries if entry.body is not None}


def script(tmp_path: Path, text: str) -> Command:
    """An "interpreter" that is a program of ours."""
    path = tmp_path / "interpreter"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return Command((str(path),), {})


def test_entries_lie_where_imports_look_sorted_by_their_bytes() -> None:
    found = compile_entries(bodies(), OURS, VERSION, "sample")
    assert [entry.path for entry in found] == [
        f"{SITE[1:]}/{path}.{TAG}.pyc"
        for path in ("__pycache__/B", "__pycache__/a", "b/__pycache__/__init__", "b/__pycache__/c")
    ]
    assert {(entry.kind, entry.mode, entry.origin) for entry in found} == {("file", 0o644, "sample")}


def test_each_is_unchecked_and_says_where_its_source_is_in_the_image() -> None:
    for path, data in contents(compile_entries(bodies(), OURS, VERSION, "sample")).items():
        assert data[:8] == importlib.util.MAGIC_NUMBER + b"\x01\0\0\0"
        source = f"/{path.replace('__pycache__/', '').removesuffix(f'.{TAG}.pyc')}.py"
        assert data[8:16] == importlib.util.source_hash(SOURCES[source])
        assert marshal.loads(data[16:]).co_filename == source


def test_the_image_imports_them_without_looking_at_sources(tmp_path: Path) -> None:
    for path, data in contents(compile_entries(bodies(), OURS, VERSION, "sample")).items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        (place.parent.parent / f"{place.name.partition('.')[0]}.py").write_text(
            "raise SystemExit('looked at a source')"
        )
    code = "import a, b; print(a.f(1), ascii(b.X))"
    env = {"PYTHONPATH": str(tmp_path / SITE[1:])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "True '\\xe9'\n"


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_neither_order_nor_number_of_workers_counts(workers: int) -> None:
    expected = contents(compile_entries(bodies(), OURS, VERSION, "sample"))
    with Compiler(OURS, version=VERSION, workers=workers) as compiler:
        for order in itertools.islice(itertools.permutations(bodies()), 0, 120, 29):
            assert contents(compiler.compile(order, "sample")) == expected


def test_workers_stay_from_one_package_to_the_next(tmp_path: Path) -> None:
    with Compiler(counting(tmp_path), version=VERSION, workers=1) as compiler:
        for number in range(3):
            compiler.compile([(f"/{number}.py", Inline(b"x = 1\n"))], "sample")
    assert (tmp_path / "starts").read_text() == "."


def test_no_interpreter_is_started_for_nothing(tmp_path: Path) -> None:
    with Compiler(counting(tmp_path), version=VERSION):
        pass
    assert not (tmp_path / "starts").exists()


def counting(tmp_path: Path) -> Command:
    """Ours, but every start leaves a dot in a file."""
    code = (
        f"import os, sys\nwith open({str(tmp_path / 'starts')!r}, 'a') as starts: starts.write('.')\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n"
    )
    return script(tmp_path, code)


@pytest.mark.parametrize("version", [one for one in interpreters() if one != ".".join(VERSION.split(".")[:2])])
def test_another_interpreter_than_the_locks_is_refused_by_version(version: str) -> None:
    """Another minor version and, by the lock's word alone, another patch version."""
    other = Command((interpreters()[version],), {})
    with pytest.raises(IntegrityError, match=rf"is Python {version}\.\d+ .*, not {VERSION}") as caught:
        compile_entries(bodies(), other, VERSION, "sample")
    assert caught.value.fix
    with pytest.raises(IntegrityError, match=f"not {version}.99"):
        compile_entries(bodies(), other, f"{version}.99", "sample")


def test_a_build_between_versions_counts_as_its_version() -> None:
    assert compile_entries(bodies(), OURS, f"{VERSION}+", "sample") == compile_entries(
        bodies(), OURS, VERSION, "sample"
    )


@dataclass(frozen=True)
class Case:
    text: str
    error: type[Exception]
    reason: str


UNKNOWN = """
import runpy, sys
sys.argv = sys.argv[-1:]
sys.version_info = (3, 99, 0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FAILING = {
    "unknown": Case(UNKNOWN, IntegrityError, r"cpython 3\.99\.0 isn't known"),
    "does not start": Case("raise SystemExit('no such library')", InfrastructureError, "exit code 1"),
    "killed": Case("import os; os.kill(os.getpid(), 9)", InfrastructureError, "signal 9"),
}


@pytest.mark.parametrize("case", FAILING.values(), ids=list(FAILING))
def test_an_interpreter_that_fails_is_an_error_of_ours(case: Case, tmp_path: Path) -> None:
    with pytest.raises(case.error, match=case.reason) as caught:
        compile_entries(bodies(), script(tmp_path, case.text), VERSION, "sample 1.0")
    assert "sample 1.0" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the limit isn't kept")
def test_a_module_for_which_memory_is_short_stops_the_build(tmp_path: Path) -> None:
    """A layer without it would have another digest than on a machine with more."""
    limited = script(
        tmp_path,
        "import os, resource, sys\nresource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n",
    )
    large = ("/large.py", Inline(b"x = [" + b"1, " * 1_000_000 + b"]\n"))
    with pytest.raises(InfrastructureError, match="not enough memory to compile /large") as caught:
        compile_entries([*bodies(), large], limited, VERSION, "sample 1.0")
    assert "sample 1.0" in str(caught.value)
    assert "--pyc none" in str(caught.value.fix)


def test_what_it_said_comes_with_the_error(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError) as caught:
        compile_entries(bodies(), script(tmp_path, FAILING["does not start"].text), VERSION, "sample")
    assert caught.value.details == "no such library"


def test_an_interpreter_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="exit code 127"):
        compile_entries(bodies(), Command((str(tmp_path / "none"),), {}), VERSION, "sample")


@dataclass(frozen=True)
class Broken:
    """A body that turns out to be damaged while it is read."""

    size: int = 3
    sha256: None = None
    deflated: None = None

    def plain(self) -> Iterator[bytes]:
        yield b"x ="
        raise IntegrityError("damaged")


def test_a_damaged_source_passes_its_error_on() -> None:
    with pytest.raises(IntegrityError, match="damaged"):
        compile_entries([*bodies(), ("/x.py", Broken())], OURS, VERSION, "sample")


@pytest.mark.parametrize("name", ["repro_oci.builder", "repro_oci.image_python", "repro_oci.bytecode"])
def test_importing_it_is_cheap(name: str) -> None:
    """Reading ELF files is only for who takes an interpreter out of an image."""
    code = f"import sys, {name}; print([name for name in sys.modules if name.startswith('elftools')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "[]\n"
