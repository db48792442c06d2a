"""Reading pip's configuration files, in the places and the order that pip's documentation gives them."""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from repro.errors import UsageError

_SECTIONS = ("global", "install")
"""`[install]` overrides `[global]`, whatever files they are in."""


def pip_options(prefix: Path | None, environ: Mapping[str, str], system: str = sys.platform) -> dict[str, str]:
    """The options for `pip install` that its configuration files set, by their long names without dashes in front.

    Args:
        prefix: Prefix of the environment whose own file counts.
        environ: PIP_CONFIG_FILE, HOME, XDG_CONFIG_HOME, XDG_CONFIG_DIRS, APPDATA, PROGRAMDATA.
        system: `sys.platform`.

    Raises:
        UsageError: A file is there but can't be read.
    """
    named: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for path in _files(prefix, environ, system):
        for section, options in _read(path).items():
            named[section].update(options)
    return {**named["global"], **named["install"]}


def _files(prefix: Path | None, environ: Mapping[str, str], system: str) -> Iterator[Path]:
    """Every place, the weakest first: global, user, environment, PIP_CONFIG_FILE."""
    explicit = environ.get("PIP_CONFIG_FILE")
    if explicit == os.devnull:
        return
    yield from _global_files(environ, system)
    if not explicit or not Path(explicit).exists():
        yield from _user_files(environ, system)
    if prefix is not None:
        yield prefix / _name(system)
    if explicit:
        yield Path(explicit)


def _name(system: str) -> str:
    return "pip.ini" if system == "win32" else "pip.conf"


def _global_files(environ: Mapping[str, str], system: str) -> list[Path]:
    match system:
        case "win32":
            return [Path(environ.get("PROGRAMDATA", "C:\\ProgramData")) / "pip" / "pip.ini"]
        case "darwin":
            return [Path("/Library/Application Support/pip/pip.conf")]
        case _:
            folders = [text for text in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep) if text]
            return [*(Path(folder) / "pip" / "pip.conf" for folder in folders), Path("/etc/pip.conf")]


def _user_files(environ: Mapping[str, str], system: str) -> list[Path]:
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if system == "win32":
        roaming = environ.get("APPDATA")
        return [home / "pip" / "pip.ini", *([Path(roaming) / "pip" / "pip.ini"] if roaming else [])]
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    support = home / "Library" / "Application Support"
    if system == "darwin" and (support / "pip").is_dir():
        config = support
    return [home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]


def _read(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read pip's configuration: {error}", where=str(path)) from error
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UsageError(
            f"pip's configuration is damaged: {error.message}", where=str(path), fix="Correct the file."
        ) from error
    return {
        section: {key.replace("_", "-").removeprefix("--"): value for key, value in parser.items(section)}
        for section in _SECTIONS
        if parser.has_section(section)
    }
