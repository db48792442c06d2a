"""pyproject.toml: PEP 621 dependencies, PEP 735 groups, and the tables of Poetry, PDM and uv."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro.capture.drift.model import PYTHON, Declared, File, specifiers
from repro.capture.drift.requirements import read_requirements
from repro.capture.drift.shapes import table, tables, text, texts
from repro.capture.drift.versions import poetry_specifiers


def read_pyproject(file: File) -> Iterator[Declared]:
    """Everything that it declares. Raises OSError, UnicodeDecodeError and TOMLDecodeError."""
    document = tomllib.loads(file.path.read_text(encoding="utf-8"))
    project, tool = table(document, "project"), table(document, "tool")
    python = text(project.get("requires-python"))
    if python:
        yield Declared(PYTHON, file.place, python, specifiers(python))
    yield from declared(texts(project.get("dependencies")), file)
    yield from _setuptools(table(tool, "setuptools", "dynamic", "dependencies"), file)
    yield from _optional(_groups(project, document, tool), file)
    yield from _poetry(table(tool, "poetry"), file)


def declared(lines: Iterable[str], file: File) -> Iterator[Declared]:
    """Requirements as PEP 508 has them; those that no installer could read either are passed over."""
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        allowed: tuple[SpecifierSet, ...] = (one.specifier,)
        found = Declared(canonicalize_name(one.name), file.place, str(one.specifier), allowed)
        yield found if one.marker is None or file.applies(str(one.marker)) else found.elsewhere()


def _setuptools(dynamic: Mapping[str, Any], file: File) -> Iterator[Declared]:
    for name in texts(dynamic.get("file")):
        yield from read_requirements(replace(file, path=file.path.parent / name))


def _groups(project: Mapping[str, Any], document: Mapping[str, Any], tool: Mapping[str, Any]) -> Iterator[object]:
    yield from table(project, "optional-dependencies").values()
    yield from table(document, "dependency-groups").values()
    yield from table(tool, "pdm", "dev-dependencies").values()
    yield table(tool, "uv").get("dev-dependencies")


def _optional(groups: Iterable[object], file: File) -> Iterator[Declared]:
    for group in groups:  # groups that include others hold tables too: what is in those comes from their own group
        yield from (replace(one, wanted=False) for one in declared(texts(group), file))


def _poetry(poetry: Mapping[str, Any], file: File) -> Iterator[Declared]:
    yield from _poetry_table(table(poetry, "dependencies"), file)
    groups = [*table(poetry, "group").values(), {"dependencies": poetry.get("dev-dependencies")}]
    for group in groups:
        yield from (replace(one, wanted=False) for one in _poetry_table(table(group, "dependencies"), file))


def _poetry_table(dependencies: Mapping[str, Any], file: File) -> Iterator[Declared]:
    for name, value in dependencies.items():
        said = texts(value)
        if said:
            yield _poetry_one(name, said[0], {}, file)
        else:
            details = list(tables(value))
            holding = [one for one in details if _holds(one, file)] or details
            yield from (_poetry_one(name, text(one.get("version")), one, file) for one in holding[:1])


def _poetry_one(name: str, version: str, details: Mapping[str, Any], file: File) -> Declared:
    wanted = not details.get("optional")
    path = text(details.get("path"))
    tree = (file.path.parent / path).resolve() if path and details.get("develop") else None
    allowed = poetry_specifiers(version)
    found = Declared(canonicalize_name(name), file.place, version, allowed, wanted=wanted, tree=tree)
    return found if _holds(details, file) else found.elsewhere()


def _holds(details: Mapping[str, Any], file: File) -> bool:
    """Whether a dependency is one for the laptop's Python and platform."""
    python = text(details.get("python"))
    here = not python or any(one.contains(file.python, prereleases=True) for one in poetry_specifiers(python))
    return here and file.applies(details.get("markers"))
