"""Parsed TOML, YAML and JSON of other tools: what has not the expected shape counts as empty, never as a fault."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # several times faster where libyaml is: locks have megabytes


def read_yaml(path: Path) -> Any:
    """A parsed document. Raises OSError, UnicodeDecodeError and YAMLError."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - both of them are the safe one


def table(value: object, *keys: str) -> dict[str, Any]:
    """The table below these keys, else an empty one."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def tables(value: object) -> Iterator[dict[str, Any]]:
    """The tables of an array; one table counts as an array of it."""
    ones = value if isinstance(value, list) else [value]
    return (one for one in ones if isinstance(one, dict))


def texts(value: object) -> list[str]:
    """The texts of an array; one text counts as an array of it."""
    ones = value if isinstance(value, list) else [value]
    return [one for one in ones if isinstance(one, str)]


def text(value: object) -> str:
    """A text, else an empty one."""
    return value if isinstance(value, str) else ""
