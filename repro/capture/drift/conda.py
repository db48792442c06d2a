"""environment.yml of conda: its own packages, and pip's."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.utils import canonicalize_name

from repro.capture.drift.conda_locks import archive
from repro.capture.drift.model import ANY, CondaSpec, Declared, File
from repro.capture.drift.pyproject import declared
from repro.capture.drift.requirements import read_requirements
from repro.capture.drift.shapes import read_yaml, table, texts
from repro.capture.drift.versions import conda_specifiers
from repro.urls import redact

_SPEC = re.compile(
    r"(?:[^:\s]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>[^\s\[]*)(?:\s*(?P<more>\[.*\])|\s+(?P<build>\S+))?",
)
_AROUND = re.compile(r"\s*([,|])\s*|([<>=!~])\s+")
"""Blanks that mean nothing, as in `>= 1.2, <2`; the others stand before a version or a build."""
_BUILD = re.compile(r"(={0,2}[^=<>!~]+)=([^=]+)")
_KEY = re.compile(r"""\b(version|build)=("[^"]*"|'[^']*'|[^,\]]+)""")
"""Of what stands in brackets; it wins over what stands before them."""


def read_environment(file: File) -> Iterator[Declared]:
    """Everything that it declares. Raises OSError, UnicodeDecodeError and YAMLError."""
    dependencies = table(read_yaml(file.path)).get("dependencies")
    for one in dependencies if isinstance(dependencies, list) else []:
        if isinstance(one, dict):
            yield from _pip(texts(one.get("pip")), file)
        elif isinstance(one, str):
            yield from _conda(one, file)


def _pip(lines: Iterable[str], file: File) -> Iterator[Declared]:
    for line in lines:
        nested = re.fullmatch(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if nested and (path := file.path.parent / nested[1]).is_file():
            yield from read_requirements(replace(file, path=path))
        elif nested:
            file.fault(f"it includes {redact(nested[1])}, which isn't there")
        else:
            yield from declared([line], file)


def _conda(text: str, file: File) -> Iterator[Declared]:
    """`numpy`, `numpy=1.26`, `numpy==1.26.4=py311h_0`, `numpy >=1.20,<2`, `conda-forge::numpy=1.26`, or a URL."""
    if "://" in text:
        yield from (replace(one, direct=True) for one in archive(text, file))
        return
    found = _SPEC.fullmatch(_AROUND.sub(r"\1\2", text.strip()))
    if found is None:
        return
    both = _BUILD.fullmatch(found["version"])
    version, build = (both[1], both[2]) if both else (found["version"], found["build"] or "")
    keys: dict[str, str] = {key: value.strip("\"'") for key, value in _KEY.findall(found["more"] or "")}
    version, build = keys.get("version", version), keys.get("build", build)
    yield Declared(
        name=canonicalize_name(found["name"]),
        place=file.place,
        said=version.lstrip("="),
        specifiers=conda_specifiers(version) if version else ANY,
        conda=CondaSpec(found["name"].lower(), version, build),
    )
