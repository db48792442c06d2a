"""Metrics files: JSON, YAML and TOML that the run wrote."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from .found import MOST_DIGITS, Found, TooLong

Stamp = Optional[tuple[int, int, int, int, int]]

_YAML_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_YAML_INT = re.compile(r"[-+]?[0-9]+")


def read_metrics_files(root: Path, names: Iterable[str], before: Mapping[str, object] | None = None) -> Found:
    """What the files say.

    Args:
        root: Project root.
        names: Paths relative to it; those that don't exist are passed over.
        before: `file_stamp` of each from before the run: files that are still the same are not this run's and are
            left out with a warning. None takes all.
    """
    found = Found()
    for name in names:
        stamp = file_stamp(root / name)
        if stamp is None:
            continue
        if before is not None and before.get(name) == stamp:
            found.warnings.append(f"{name} was there before and this run did not write it: its metrics were not taken")
            continue
        found.extend(_read(root / name, name))
    return found


def _read(path: Path, name: str) -> Found:
    found = Found()
    try:
        data = _parse(path)
        if isinstance(data, Mapping):
            found.add("", data, name)
        else:
            found.problems.append(f"{name}: holds a {type(data).__name__}, not names with values")
    except (OSError, ValueError) as error:
        return Found(problems=[f"{name}: {error}"])
    except RecursionError:
        return Found(problems=[f"{name}: nested too deeply, or an alias that holds itself"])
    return found


def file_stamp(path: Path) -> Stamp:
    """What changes whenever a file is written; None when there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _parse(path: Path) -> Any:
    """The file's content by its suffix, JSON without a known one. Raises OSError and ValueError."""
    text = path.read_bytes().decode("utf-8-sig")
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return _parse_yaml(text)
    if suffix == ".toml":
        return _parse_toml(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_int=_whole)
    except json.JSONDecodeError as error:
        msg = f"not valid JSON: {error}"
        raise ValueError(msg) from error


def _whole(text: str) -> int | TooLong:
    return TooLong() if len(text.lstrip("+-")) > MOST_DIGITS else int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        twice = sorted({name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1})
        msg = f"the same name twice: {', '.join(twice)}"
        raise ValueError(msg)
    return data


def _parse_toml(text: str) -> Any:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return toml.loads(text)
    except ValueError as error:
        msg = f"not valid TOML: {error}"
        raise ValueError(msg) from error


def _parse_yaml(text: str) -> Any:
    """YAML with the numbers of version 1.2: PyYAML alone takes `1e-05`, which other writers leave, for text."""
    import yaml  # noqa: PLC0415 - only where there is YAML

    class Loader(yaml.SafeLoader):
        """Its own class, because resolvers belong to classes."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":float")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def whole(loader: Loader, node: yaml.ScalarNode) -> Any:
        return TooLong() if len(node.value) > MOST_DIGITS + 1 else loader.construct_yaml_int(node)

    Loader.add_constructor("tag:yaml.org,2002:int", whole)
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(rf"^(?!{_YAML_INT.pattern}$)(?:{_YAML_FLOAT.pattern})$"),
        list("-+.0123456789"),
    )
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        msg = f"not valid YAML: {error}"
        raise ValueError(msg) from error
