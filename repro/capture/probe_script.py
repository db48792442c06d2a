"""Runs inside the kernel's Python, 3.8 or newer, as text on `-c`: describes it and all that is installed for it.

Standard library only, ASCII only. Metadata is read by hand rather than through importlib.metadata, which parses whole
descriptions and differs from version to version in what it takes for a distribution.
"""
# Entries of sys.path are strings, some of them into zip files.
# ruff: noqa: PTH100, PTH112, PTH113, PTH118, PTH119, PTH120, PTH123, PTH208

from __future__ import annotations

import ast
import json
import os
import platform
import re
import site
import sys
import sysconfig
import zipfile
from typing import Any, Iterable, Iterator  # noqa: UP035 - collections.abc can't be subscripted in 3.8
from urllib.parse import urlsplit
from urllib.request import url2pathname

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_ENDINGS = (".dist-info", ".egg-info")
_MAPPING = re.compile(r"^MAPPING[^=\n]*=\s*(\{.*\})\s*$", re.MULTILINE)


def describe() -> dict[str, Any]:
    """Everything as plain JSON values; what is not imported because of an earlier copy is under `shadowed`."""
    entries = [entry for entry in sys.path if entry]
    found, shadowed = _choose(_scan(entries))
    return {
        "executable": sys.executable,
        "base_executable": _base_executable(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "implementation": sys.implementation.name,
        "version": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "platform": sysconfig.get_platform(),
        "soabi": sysconfig.get_config_var("SOABI") or "",
        "glibc": _glibc(),
        "paths": sysconfig.get_paths(),
        "sys_path": entries,
        "distributions": found,
        "shadowed": shadowed,
    }


def _base_executable() -> str:
    """The interpreter behind a virtual environment; before 3.11 `sys._base_executable` is the environment's own."""
    known: str = getattr(sys, "_base_executable", None) or sys.executable
    if sys.prefix == sys.base_prefix or not _in_folder(os.path.dirname(known), sys.prefix):
        return known
    settings = _pyvenv_settings()
    home = settings.get("home", "")
    names = (f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3", "python", "python.exe")
    paths = [settings.get("base-executable", ""), settings.get("executable", "")]
    paths += [os.path.join(home, name) for name in names] if home else []
    return next((path for path in paths if os.path.isfile(path)), os.path.realpath(known))


def _pyvenv_settings() -> dict[str, str]:
    pairs = [line.partition("=") for line in _lines(os.path.join(sys.prefix, "pyvenv.cfg"))]
    return {key.strip().lower(): value.strip() for key, found, value in pairs if found}


def _glibc() -> str | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, OSError, ValueError):
        return None
    return version if name == "glibc" else None


def _scan(entries: list[str]) -> Iterator[dict[str, Any]]:
    """Every distribution in the order in which imports would meet it."""
    pointers = _Pointers(entries)
    seen = set()
    for entry in entries:
        real = os.path.normcase(os.path.realpath(entry))
        if real in seen:
            continue
        seen.add(real)
        for folder in _metadata_in(entry):
            described = _distribution(_Metadata(entry, folder), pointers)
            if described:
                yield described


class _Metadata:
    """One distribution's metadata: a directory, a single file (distutils), or a directory in a zipped egg."""

    def __init__(self, entry: str, path: str) -> None:
        self.entry = entry
        self.path = path
        self.zipped = "!/" in path

    def text(self, *names: str) -> str:
        """Content of the first of these files that there is, else "". An empty name is a metadata file itself."""
        return next((text for text in map(self._read, names) if text), "")

    def headers(self, *names: str) -> dict[str, list[str]]:
        """The header lines of such a file by lower-case name, without the body."""
        found: dict[str, list[str]] = {}
        for line in self.text(*names).splitlines():
            if not line:  # one of spaces belongs to a licence's text
                break
            key, colon, value = line.partition(":")
            if colon and not line[0].isspace():
                found.setdefault(key.strip().lower(), []).append(value.strip())
        return found

    def has(self, name: str) -> bool:
        return os.path.isfile(os.path.join(self.path, name))

    def _read(self, name: str) -> str | None:
        if not self.zipped:
            return _read(os.path.join(self.path, name) if name else self.path)
        egg, _, inner = self.path.partition("!/")
        try:
            with zipfile.ZipFile(egg) as archive:
                return archive.read(f"{inner}/{name}").decode("utf-8", "replace")
        except (OSError, KeyError, zipfile.BadZipFile):
            return None


class _Pointers:
    """What editable installs leave in site directories: .egg-link files, and __editable__ .pth files and finders."""

    def __init__(self, entries: list[str]) -> None:
        self._links: dict[str, str] = {}
        self._finders: dict[str, list[str]] = {}
        for entry in entries:
            for name in _listdir(entry):
                if name.endswith(".egg-link"):
                    self._add_link(entry, name)
                elif name.startswith("__editable__") and name.endswith((".pth", "_finder.py")):
                    stem = name[len("__editable__") :].rsplit("_finder.py", 1)[0].rsplit(".pth", 1)[0]
                    self._finders.setdefault(_comparable(stem), []).append(os.path.join(entry, name))

    def _add_link(self, entry: str, name: str) -> None:
        lines = [line.strip() for line in _lines(os.path.join(entry, name))]
        if lines and lines[0]:
            # Directory of the egg-info, then the way from there to that of setup.py.
            setup = os.path.join(lines[0], lines[1] if len(lines) > 1 else ".")
            self._links.setdefault(_normalized(name[: -len(".egg-link")]), os.path.normpath(setup))

    def source_tree(self, metadata: _Metadata, name: str, version: str, direct: dict[str, Any] | None) -> str | None:
        """The project directory that an editable install points to, or None for an ordinary install."""
        info = direct.get("dir_info") if direct else None
        if direct and isinstance(info, dict) and info.get("editable"):
            return os.path.abspath(url2pathname(urlsplit(direct.get("url", "")).path))
        if metadata.path.endswith(".dist-info"):
            files = [] if direct else self._finders.get(_comparable(f"{name}-{version}"), [])
            return next((tree for tree in map(_pointed, files) if tree), None)
        if not metadata.path.endswith(".egg-info") or not os.path.isdir(metadata.path) or _in_site(metadata.entry):
            return None
        link = self._links.get(_normalized(name))
        return link if link and _in_folder(metadata.entry, link) else _project_above(metadata.entry)


def _metadata_in(entry: str) -> list[str]:
    """Paths of the metadata that a sys.path entry holds."""
    if entry.endswith(".egg"):
        return [f"{entry}!/EGG-INFO" if os.path.isfile(entry) else os.path.join(entry, "EGG-INFO")]
    # pip renames what it is about to remove to `~name`: what is left of that is not installed.
    names = (name for name in sorted(_listdir(entry)) if name.endswith(_ENDINGS) and not name.startswith("~"))
    return [os.path.join(entry, name) for name in names]


def _distribution(metadata: _Metadata, pointers: _Pointers) -> dict[str, Any] | None:
    """One distribution, or None for a directory that describes none, such as the rest of a broken removal."""
    head = metadata.headers("METADATA", "PKG-INFO", "")
    record = metadata.has("RECORD")
    stem, _, rest = os.path.basename(metadata.path).rpartition(".")[0].partition("-")
    name = _first(head, "name") or (stem if record else "")
    version = _first(head, "version") or (rest if record else "")
    if not name or not version:
        return None
    wheel = metadata.headers("WHEEL")
    direct = _direct_url(metadata)
    tree = pointers.source_tree(metadata, name, version, direct)
    return {
        "name": _normalized(name),
        "version": version,
        "location": os.path.abspath(metadata.entry),
        "metadata": os.path.abspath(metadata.entry if metadata.zipped else metadata.path),
        "tags": wheel.get("tag", []),
        "purelib": _first(wheel, "root-is-purelib").lower() != "false",
        "installer": metadata.text("INSTALLER").strip(),
        "direct_url": direct,
        "editable": tree is not None,
        "source_tree": tree,
        "record": record,
        "requested": metadata.has("REQUESTED"),
        "build": _first(wheel, "build"),
        "requires": head.get("requires-dist", []),
    }


def _direct_url(metadata: _Metadata) -> dict[str, Any] | None:
    try:
        found = json.loads(metadata.text("direct_url.json") or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _pointed(path: str) -> str | None:
    """The project behind an `__editable__` file: a .pth names a directory, a finder maps packages to theirs."""
    if path.endswith(".pth"):
        target = next((line.strip() for line in _lines(path) if os.path.isdir(line.strip())), None)
        return target and (_project_above(target) or target)
    match = _MAPPING.search(_read(path) or "")
    try:
        targets = list(ast.literal_eval(match.group(1)).values()) if match else []
    except (ValueError, SyntaxError):
        targets = []
    return next((_project_above(os.path.dirname(target)) for target in targets), None)


def _project_above(folder: str) -> str | None:
    """The directory, or the nearest of three above it, that holds a project file."""
    folder = os.path.abspath(folder)
    for _ in range(4):
        if any(os.path.isfile(os.path.join(folder, name)) for name in _PROJECT_FILES):
            return folder
        folder = os.path.dirname(folder)
    return None


def _in_site(entry: str) -> bool:
    """Whether a directory is where installers put things."""
    paths = sysconfig.get_paths()
    folders = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    return os.path.realpath(entry) in {os.path.realpath(one) for one in folders}


def _choose(distributions: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split into the first of each name and further copies."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in distributions:
        by_name.setdefault(one["name"], []).append(one)
    copies = [_copies(described) for _, described in sorted(by_name.items())]
    return [first for first, *_ in copies], [other for _, *others in copies for other in others]


def _copies(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One description for each copy: an editable install's tree has its egg-info too, Debian's packages have two."""
    trees = [one["source_tree"] for one in described if one["source_tree"] and one["metadata"].endswith(".dist-info")]
    kept: list[dict[str, Any]] = []
    for one in described:
        in_tree = not one["metadata"].endswith(".dist-info") and any(
            _in_folder(one["metadata"], tree) for tree in trees
        )
        twice = any((one["location"], one["version"]) == (other["location"], other["version"]) for other in kept)
        if not in_tree and not twice:
            kept.append(one)
    return kept


def _first(head: dict[str, list[str]], key: str) -> str:
    return head.get(key, [""])[0]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _comparable(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _lines(path: str) -> list[str]:
    return (_read(path) or "").splitlines()


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return None


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _in_folder(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
