"""Module names and their files: which sources have bytecode and where that goes. Pure; standard library only.

Also runs inside images while the Docker builder builds them, on Python 3.8 and later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_SOURCE = ".py"
_INIT = "/__init__.py"
_OTHERS = ("site-packages", "dist-packages")
"""Directories in a standard library that have modules of their own."""


def chosen_sources(paths: Iterable[str], roots: Collection[str], modules: Collection[str] | None) -> list[str]:
    """Sources below one of the roots, sorted; `modules` (dotted names) narrows them down unless it is None.

    Names that no path stands for are passed over. Where a package and a module share a name, the package is imported
    (https://docs.python.org/3/reference/import.html), so that it is the one meant.
    """
    named: dict[str, str] = {}
    found: list[str] = []
    for path in sorted(set(paths)):
        inside = _inside(path, roots)
        if inside is None:
            continue
        found.append(path)
        name = module_name(inside)
        if name not in named or path.endswith(_INIT):
            named[name] = path
    if modules is None:
        return found
    return sorted(named[name] for name in set(modules) if name in named)


def module_name(path: str) -> str:
    """`a.b` of `a/b.py` and of `a/b/__init__.py`, relative to an entry of sys.path."""
    stem = path[: -len(_INIT)] if path.endswith(_INIT) else path[: -len(_SOURCE)]
    return stem.replace("/", ".")


def bytecode_path(source: str, tag: str) -> str:
    """Where an interpreter looks for a source's bytecode (PEP 3147): `a/__pycache__/b.cpython-311.pyc` of `a/b.py`."""
    folder, slash, name = source.rpartition("/")
    return f"{folder}{slash}__pycache__/{name[: -len(_SOURCE)]}.{tag}.pyc"


def _inside(path: str, roots: Collection[str]) -> str | None:
    """A source's path relative to the root that it is below; None for what is no source, or no part of that root."""
    if not path.endswith(_SOURCE):
        return None
    for root in roots:
        if path.startswith(f"{root}/"):
            inside = path[len(root) + 1 :]
            return None if inside.partition("/")[0] in _OTHERS else inside
    return None
