"""Values of options that click has no type for, and options that several commands share."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
PLATFORM = click.Choice(["linux/amd64", "linux/arm64"])
ENCODING = click.Choice(["splice", "gzip", "zstd", "tar"])
BYTECODE = click.Choice(["used", "all", "none"])

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SMALLEST, _LARGEST = 6 << 20, 1 << 50


def duration(text: str) -> float:
    """Seconds from `90`, `90s`, `10m` or `2h`. Raises click.BadParameter for anything else."""
    return _scaled(text, _SECONDS, "90, 90s, 10m or 2h")


def size(text: str) -> int:
    """Bytes from `512m`, `4g` or a plain number, as Docker writes them. Raises click.BadParameter for anything else."""
    found = int(_scaled(text, _BYTES, "512m or 4g"))
    if not _SMALLEST <= found < _LARGEST:
        reason = "engines take no less than 6m" if found < _SMALLEST else "no machine has that much"
        raise click.BadParameter(f"{text!r}: {reason}")
    return found


def amount(text: str) -> int:
    """Bytes from `500m`, `10g`, `0`. Raises click.BadParameter for anything else."""
    return 0 if text == "0" else int(_scaled(text, _BYTES, "500m or 10g"))


def _scaled(text: str, units: Mapping[str, int], examples: str) -> float:
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "")
    try:
        scaled = float(number) * units[unit]
    except (ValueError, KeyError):
        scaled = math.nan
    if not math.isfinite(scaled) or scaled <= 0:
        raise click.BadParameter(f"{text!r}: write it as {examples}")
    return scaled


def judge_options(command: _Command) -> _Command:
    """By which lock an image is judged (`named`, `baked_lock`), and where the files are that it lacks (`data`)."""
    for option in (
        click.option("--data", type=PATH, help="Where files are that the image lacks; the lock's folder otherwise."),
        click.option("--baked-lock", is_flag=True, help="Judge by the lock in the image, even if there is one here."),
        click.option("--lock", "named", type=PATH, help="The lock to judge by; the nearest repro.lock otherwise."),
    ):
        command = option(command)
    return command
