"""Which Python projects a conda package brings: `pytorch` brings torch, `matplotlib-base` matplotlib."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from packaging.utils import canonicalize_name

from repro.capture.conda.installed import CONDA
from repro.capture.drift.model import Declared
from repro.capture.model import Distribution
from repro.conda.records import Record
from repro.conda.specs import required_name

OWNED = "conda:"
"""Begins the names of conda packages among those of modules (`repro.lock.Lock.modules`)."""

_METADATA = re.compile(r"(?:^|/)(?:site|dist)-packages/([^/]+?)-[^/-]+(?:-py[\d.]+)?\.(?:dist|egg)-info(?:/|$)")


def projects(record: Record) -> set[str]:
    """Normalised names of the projects whose metadata it brought; mostly one, none for libraries."""
    found = (_METADATA.search(one.path) for one in record.paths)
    return {str(canonicalize_name(one[1])) for one in found if one}


def unreplaced(records: Mapping[str, Record], installed: Iterable[Distribution]) -> dict[str, Record]:
    """Those in whose place pip has not put its package of the same name since: conda-meta has them all the same."""
    pip = {one.name for one in installed if one.conda is None and one.installer != CONDA}
    return {
        name: record
        for name, record in records.items()
        if (plain := canonicalize_name(name)) not in pip or plain not in projects(record)
    }


def by_project(imported: Mapping[str, Collection[str]], records: Mapping[str, Record]) -> dict[str, Collection[str]]:
    """What a run imported, with the modules of conda packages under the names of the projects that they bring."""
    found: dict[str, Collection[str]] = {}
    for name, modules in imported.items():
        plain = name.removeprefix(OWNED)
        owner = records.get(plain) if name.startswith(OWNED) else None
        for one in (projects(owner) if owner else set()) or {plain}:
            found[one] = {*found.get(one, ()), *modules}
    return found


def with_projects(declared: Iterable[Declared], records: Mapping[str, Record]) -> list[Declared]:
    """The same, and for each conda package the projects that it brings: who declares the one declares the other."""
    found = list(declared)
    for one in tuple(found):
        owner = records.get(one.conda.name) if one.conda else None
        if owner:
            found += [replace(one.elsewhere(), name=name) for name in sorted(projects(owner) - {one.name})]
    return found


def requirements_of_conda(records: Iterable[Record]) -> dict[str, set[str]]:
    """What each conda package needs of conda, and the projects that it brings."""
    return {str(canonicalize_name(one.name)): {*map(_needed, one.depends), *projects(one)} for one in records}


def _needed(spec: str) -> str:
    return str(canonicalize_name(required_name(spec)))
