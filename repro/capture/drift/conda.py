"""environment.yml of conda: its own packages by name, since most are the Python packages of that name, and pip's."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import yaml
from packaging.utils import canonicalize_name

from repro.capture.drift.model import ANY, PYTHON, Declared, File
from repro.capture.drift.pyproject import declared
from repro.capture.drift.requirements import read_requirements
from repro.capture.drift.shapes import table, texts
from repro.capture.drift.versions import conda_specifiers

_SPEC = re.compile(r"(?:[^:\s]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>[^\s\[]*)(?:\s*\[.*\]|\s+\S+)?")


def read_environment(file: File) -> Iterator[Declared]:
    """Everything that it declares. Raises OSError, UnicodeDecodeError and YAMLError."""
    dependencies = table(yaml.safe_load(file.path.read_text(encoding="utf-8"))).get("dependencies")
    for one in dependencies if isinstance(dependencies, list) else []:
        if isinstance(one, dict):
            yield from _pip(texts(one.get("pip")), file)
        else:
            yield from _conda(str(one), file)


def _pip(lines: Iterable[str], file: File) -> Iterator[Declared]:
    for line in lines:
        nested = re.fullmatch(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if nested:
            yield from read_requirements(replace(file, path=file.path.parent / nested[1]))
        else:
            yield from declared([line], file)


def _conda(text: str, file: File) -> Iterator[Declared]:
    """`numpy`, `numpy=1.26`, `numpy==1.26.4=py311h_0`, `numpy >=1.20,<2`, `conda-forge::numpy=1.26`."""
    found = _SPEC.fullmatch(text.strip())
    if found is None:
        return
    version = re.sub(r"^(={0,2}[^=<>!~]+)=[^=]+$", r"\1", found["version"])  # without the build
    name = canonicalize_name(found["name"])
    said = Declared(name, file.place, version.lstrip("="), conda_specifiers(version) if version else ANY)
    # Many of conda's packages are no Python packages, and some Python packages have another name there.
    yield said if name == PYTHON else replace(said, wanted=False)
