"""Which sources are meant by names of modules, and where their bytecode goes."""

import importlib.util
from pathlib import Path

import pytest

from repro.plan.module_files import bytecode_path, chosen_sources, module_name

SITE = "/opt/env/lib/python3.11/site-packages"
PATHS = [f"{SITE}/{name}" for name in ("b.py", "a/__init__.py", "a/c.py", "a/data.txt", "a/c.pyi", "a/d/e.py", "a.py")]


def sources(*names: str, root: str = SITE) -> list[str]:
    return [f"{root}/{name}" for name in names]


def test_all_sources_of_a_root_are_sorted_and_each_is_there_once() -> None:
    found = chosen_sources([*PATHS, *PATHS, "/opt/env/bin/tool.py", f"{SITE}x/y.py"], [SITE], None)
    assert found == sources("a.py", "a/__init__.py", "a/c.py", "a/d/e.py", "b.py")


def test_names_narrow_them_down_and_unknown_ones_are_passed_over() -> None:
    assert chosen_sources(PATHS, [SITE], ["b", "a.d.e", "a.fast", "z"]) == sources("a/d/e.py", "b.py")
    assert chosen_sources(PATHS, [SITE], []) == []


@pytest.mark.parametrize("paths", [PATHS, PATHS[::-1]])
def test_a_package_goes_before_a_module_of_its_name_as_in_imports(paths: list[str]) -> None:
    assert chosen_sources(paths, [SITE], ["a"]) == sources("a/__init__.py")


def test_a_standard_library_ends_where_packages_begin() -> None:
    root = "/opt/python/lib/python3.11"
    names = ("os.py", "json/__init__.py", "site-packages/x.py", "dist-packages/y/z.py", "a/site-packages/z.py")
    assert chosen_sources(sources(*names, root=root), ["/opt/python/lib64/python3.11", root], None) == sources(
        "a/site-packages/z.py", "json/__init__.py", "os.py", root=root
    )


def test_names_of_modules() -> None:
    names = {path: module_name(path) for path in ("a.py", "a/__init__.py", "a/b.py", "__init__.py", "a/__init__x.py")}
    assert names == {
        "a.py": "a",
        "a/__init__.py": "a",
        "a/b.py": "a.b",
        "__init__.py": "__init__",
        "a/__init__x.py": "a.__init__x",
    }


@pytest.mark.parametrize("path", ["/a/b.py", "/a/__init__.py", "a.py", "/a b/c.d.py"])
def test_bytecode_lies_where_the_interpreter_looks_for_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.pycache_prefix", None)
    expected = Path(importlib.util.cache_from_source(path)).as_posix()
    tag = expected.rpartition("/")[2].split(".")[-2]
    assert bytecode_path(path, tag) == expected
