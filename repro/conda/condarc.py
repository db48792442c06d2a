"""What conda's settings (.condarc) say of channels and package caches. Files that can't be read say nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from repro.realpaths import expanded

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_LISTS = ("channels", "default_channels", "allowlist_channels", "whitelist_channels")


@dataclass(frozen=True, slots=True)
class CondaSettings:
    """Settings of all files together.

    Attributes:
        addresses: Addresses of channels and of what channels begin with, as written, secrets included.
        caches: Folders for packages (`pkgs_dirs`).
    """

    addresses: tuple[str, ...] = ()
    caches: tuple[Path, ...] = ()


def conda_settings(environ: Mapping[str, str], prefix: Path | None = None) -> CondaSettings:
    """Everything that conda's and mamba's files of settings say.

    Args:
        environ: The user's variables.
        prefix: The environment, which may have a file of its own.
    """
    documents = [document for path in _files(environ, prefix) for document in _read(path, environ)]
    return CondaSettings(
        tuple(dict.fromkeys(one for document in documents for one in _addresses(document) if "://" in one)),
        tuple(dict.fromkeys(Path(one) for document in documents for one in _texts(document.get("pkgs_dirs")))),
    )


def _files(environ: Mapping[str, str], prefix: Path | None) -> Iterator[Path]:
    """In the order in which conda reads them ("Using the .condarc conda configuration file")."""
    home = expanded("~")
    configured = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    folders = [Path("/etc/conda"), Path("/var/lib/conda"), *roots(environ), configured / "conda", home / ".conda"]
    for folder in folders:
        yield from (folder / ".condarc", folder / "condarc", *_fragments(folder / "condarc.d"))
    yield from (home / ".condarc", home / ".mambarc")
    active = environ.get("CONDA_PREFIX")
    yield from (place / ".condarc" for place in dict.fromkeys([prefix, Path(active) if active else None]) if place)
    yield from (expanded(environ[name]) for name in ("CONDARC", "MAMBARC") if environ.get(name))


def _fragments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in {".yml", ".yaml"})


def roots(environ: Mapping[str, str]) -> list[Path]:
    """Where conda or mamba itself is installed, as far as variables tell."""
    found = [Path(environ[name]) for name in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX") if environ.get(name)]
    programs = [Path(environ[name]) for name in ("CONDA_EXE", "MAMBA_EXE") if environ.get(name)]
    return [*found, *(program.parent.parent for program in programs)]


def _read(path: Path, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    if isinstance(document, dict):
        yield {key: _expanded(value, environ) for key, value in document.items() if isinstance(key, str)}


def _expanded(value: Any, environ: Mapping[str, str]) -> Any:
    """With variables put in, as conda does; secrets are often kept in those."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: environ.get(found[1] or found[2], found[0]), value)
        case list():
            return [_expanded(one, environ) for one in value]
        case dict():
            return {key: _expanded(one, environ) for key, one in value.items()}
    return value


def _addresses(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(document.get("channel_alias"))
    for key in _LISTS:
        yield from _texts(document.get(key))
    for name, address in _items(document.get("custom_channels")):
        yield from (f"{one.rstrip('/')}/{name}" for one in _texts(address))
    for _, addresses in _items(document.get("custom_multichannels")):
        yield from _texts(addresses)


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str) and one]
