"""Locks of uv, Poetry and PDM, and the standard's pylock.toml (PEP 751)."""

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from repro.capture.drift.model import ANY, PYTHON, Declared, File, specifiers
from repro.capture.drift.shapes import table, tables, text, texts

_Package = dict[str, Any]


def read_uv_lock(file: File) -> Iterator[Declared]:
    """uv.lock: a resolution for all platforms at once; what is wanted here is walked from the project on."""
    document = _toml(file)
    python = text(document.get("requires-python"))
    if python:
        yield Declared(PYTHON, file.place, python, specifiers(python))
    packages: defaultdict[str, list[_Package]] = defaultdict(list)
    for one in tables(document.get("package")):
        if not texts(one.get("resolution-markers")) or any(map(file.applies, texts(one.get("resolution-markers")))):
            packages[text(one.get("name"))].append(one)
    wanted = _reached(packages, file)
    for name, ones in packages.items():
        if not any(_is_project(one) for one in ones):
            versions = [version for one in ones if (version := text(one.get("version")))]
            commits = [commit for one in ones if (commit := _uv_commit(one))]
            yield pinned(name, versions, file, wanted=name in wanted, commit=commits[0] if commits else None)


def _is_project(one: Mapping[str, Any]) -> bool:
    source = table(one, "source")
    return "virtual" in source or "editable" in source


def _uv_commit(one: Mapping[str, Any]) -> str | None:
    return text(table(one, "source").get("git")).rpartition("#")[2] or None


def _reached(packages: Mapping[str, list[_Package]], file: File) -> set[str]:
    """Names that the project needs here, without extras and groups of its own."""
    roots = [
        one
        for ones in packages.values()
        for one in ones
        if "." in (table(one, "source").get("virtual"), table(one, "source").get("editable"))
    ]
    reached: set[tuple[str, str]] = set()
    edges = [edge for one in roots for edge in tables(one.get("dependencies"))]
    while edges:
        edge = edges.pop()
        name = text(edge.get("name"))
        if not file.applies(edge.get("marker")):
            continue
        for extra in ("", *texts(edge.get("extra"))):
            if (name, extra) in reached:
                continue
            reached.add((name, extra))
            for one in packages.get(name, []):
                found = table(one, "optional-dependencies").get(extra) if extra else one.get("dependencies")
                edges += tables(found)
    return {name for name, _ in reached}


def read_poetry_lock(file: File) -> Iterator[Declared]:
    """poetry.lock. Before version 2.1 it doesn't say who wants what: pyproject.toml has to."""
    document = _toml(file)
    python = text(table(document, "metadata").get("python-versions"))
    if python:
        yield Declared(PYTHON, file.place, python, specifiers(python))
    found: defaultdict[str, list[_Package]] = defaultdict(list)
    for one in tables(document.get("package")):
        marker = one.get("markers")
        if file.applies(table(marker).get("main") if isinstance(marker, dict) else marker):
            found[text(one.get("name"))].append(one)
    for name, ones in found.items():
        wanted = any("main" in texts(one.get("groups")) and not one.get("optional") for one in ones)
        commits = [commit for one in ones if (commit := text(table(one, "source").get("resolved_reference")))]
        versions = [text(one.get("version")) for one in ones]
        yield pinned(name, versions, file, wanted=wanted, commit=commits[0] if commits else None)


def read_pdm_lock(file: File) -> Iterator[Declared]:
    """pdm.lock."""
    found: defaultdict[str, list[_Package]] = defaultdict(list)
    for one in tables(_toml(file).get("package")):
        if file.applies(one.get("marker")):
            found[text(one.get("name"))].append(one)
    for name, ones in found.items():
        wanted = any("default" in texts(one.get("groups")) for one in ones)
        commits = [commit for one in ones if (commit := text(one.get("revision")))]
        versions = [text(one.get("version")) for one in ones]
        yield pinned(name, versions, file, wanted=wanted, commit=commits[0] if commits else None)


def read_pylock(file: File) -> Iterator[Declared]:
    """pylock.toml and pylock.NAME.toml."""
    document = _toml(file)
    python = text(document.get("requires-python"))
    if python:
        yield Declared(PYTHON, file.place, python, specifiers(python))
    for one in tables(document.get("packages")):
        versions = [version for version in texts(one.get("version")) if version]
        commit = text(table(one, "vcs").get("commit-id")) or None
        wanted = _installs(one.get("marker"), file)
        if wanted or not one.get("marker"):
            yield pinned(text(one.get("name")), versions, file, wanted=wanted, commit=commit)


def _installs(marker: object, file: File) -> bool:
    """Whether an installer takes a package that no extra and no group was asked for."""
    try:
        return not isinstance(marker, str) or Marker(marker).evaluate(file.variables, context="lock_file")
    except InvalidMarker:
        return True


def _toml(file: File) -> dict[str, Any]:
    return tomllib.loads(file.path.read_text(encoding="utf-8"))


def pinned(name: str, versions: list[str], file: File, *, wanted: bool, commit: str | None = None) -> Declared:
    """A package in exactly these versions."""
    allowed = tuple(one for version in versions for one in specifiers(f"=={version}")) or ANY
    said = " or ".join(dict.fromkeys(versions))
    return Declared(canonicalize_name(name), file.place, said, allowed, wanted=wanted, direct=False, commit=commit)
