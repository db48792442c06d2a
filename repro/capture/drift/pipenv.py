"""Pipfile and Pipfile.lock."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from repro.capture.drift.model import ANY, PYTHON, Declared, File, specifiers
from repro.capture.drift.shapes import table, text

_VARIABLES = {"os_name", "sys_platform", "platform_machine", "platform_system", "python_version", "python_full_version"}


def read_pipfile(file: File) -> Iterator[Declared]:
    """What a person declared. Raises OSError, UnicodeDecodeError and TOMLDecodeError."""
    document = tomllib.loads(file.path.read_text(encoding="utf-8"))
    yield from _python(table(document, "requires"), file)
    for key in ("packages", "dev-packages"):
        for name, value in table(document, key).items():
            yield _declared(name, value, file, wanted=key == "packages", direct=True)


def read_pipfile_lock(file: File) -> Iterator[Declared]:
    """What pipenv pinned. Raises OSError, UnicodeDecodeError and JSONDecodeError."""
    document = json.loads(file.path.read_text(encoding="utf-8"))
    yield from _python(table(document, "_meta", "requires"), file)
    for key in ("default", "develop"):
        for name, value in table(document, key).items():
            yield _declared(name, value, file, wanted=key == "default", direct=False)


def _python(requires: Mapping[str, Any], file: File) -> Iterator[Declared]:
    full, minor = text(requires.get("python_full_version")), text(requires.get("python_version"))
    if full or minor:
        yield Declared(PYTHON, file.place, full or minor, specifiers(f"=={full}" if full else f"=={minor}.*"))


def _declared(name: str, value: object, file: File, *, wanted: bool, direct: bool) -> Declared:
    details = table(value)
    version = text(value) or text(details.get("version"))
    said = version.removeprefix("==") if not direct else version
    path = text(details.get("path")) or text(details.get("file"))
    tree = (file.path.parent / path).resolve() if path and details.get("editable") else None
    found = Declared(
        name=canonicalize_name(name),
        place=file.place,
        said="" if said == "*" else said,
        specifiers=specifiers(version) if version else ANY,
        wanted=wanted,
        direct=direct,
        commit=None if direct else text(details.get("ref")) or None,
        tree=tree if tree is not None and tree.is_dir() else None,
    )
    return found if all(map(file.applies, _markers(details))) else found.elsewhere()


def _markers(details: Mapping[str, Any]) -> list[str]:
    """`markers`, and the variables that a Pipfile may name by themselves: `sys_platform = "== 'win32'"`."""
    own = [f"{name} {value}" for name, value in details.items() if name in _VARIABLES and isinstance(value, str)]
    return [text(details.get("markers")), *own]
