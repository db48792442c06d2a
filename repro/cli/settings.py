"""How a command shows itself: options that every command has, and what the terminal can do."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO, TypeVar

import click

from repro.report.style import Style

ProgressMode = Literal["auto", "tty", "plain", "quiet"]
_WIDE = 120
"""Columns where there is no screen: in logs and pipes."""
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class Settings:
    """Filled in while the arguments are read, so that errors in them are shown as was asked.

    Attributes:
        progress: How to show progress; "auto" chooses by what standard error is.
        quiet: Show warnings and errors only.
        verbose: Show each item that is worked on.
        color: False never uses colours.
        debug: Show tracebacks of unexpected errors.
        json: Results, and errors, as JSON.
        dumb: The terminal can't move its cursor, or this is a CI job.
        columns: Width that the environment asks for, or None.
    """

    progress: ProgressMode = "auto"
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    debug: bool = False
    json: bool = False
    dumb: bool = False
    columns: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Defaults from NO_COLOR (https://no-color.org), TERM, CI, COLUMNS and REPRO_DEBUG."""
        terminal = environ.get("TERM") == "dumb"
        columns = environ.get("COLUMNS", "")
        return cls(
            color=not environ.get("NO_COLOR") and not terminal,
            debug=environ.get("REPRO_DEBUG", "") not in {"", "0"},
            dumb=terminal or bool(environ.get("CI")),
            columns=int(columns) if columns.isdecimal() and int(columns) else None,
        )

    def mode(self, stream: TextIO) -> ProgressMode:
        """How progress is shown on `stream`: never "auto"."""
        if self.quiet:
            return "quiet"
        if self.progress != "auto":
            return self.progress
        if stream.isatty() and not self.dumb:
            return "tty"
        return "quiet" if self.json else "plain"

    def style(self, stream: TextIO) -> Style:
        """What can be drawn on `stream`."""
        screen = stream.isatty()
        return Style(
            width=max(self.columns or (_screen_width(stream) if screen else _WIDE), 40),
            color=self.color and screen,
            unicode=(stream.encoding or "ascii").lower().replace("-", "").startswith("utf"),
        )


def common(command: _F) -> _F:
    """Options that every command has, and `repro` itself too: `repro -q verify …` is `repro verify -q …`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def json_option(command: _F) -> _F:
    """`--json`, for commands that have a result to show."""
    return click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set("json", value=True),
        help="Print the result, or the error, as JSON.",
    )(command)


def _set(name: str, *, value: Any = None) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that stores an option in the settings when it was given; as `value` for flags."""

    def store(context: click.Context, _: click.Parameter, given: Any) -> None:
        if given:
            setattr(context.ensure_object(Settings), name, given if value is None else value)

    return store


def _flag(*names: str, setting: str, value: bool, description: str) -> Callable[[_F], _F]:
    return click.option(
        *names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set(setting, value=value),
        help=description,
    )


_OPTIONS = (
    _flag("-q", "--quiet", setting="quiet", value=True, description="Show only results, warnings and errors."),
    _flag("-v", "--verbose", setting="verbose", value=True, description="Show each item that is worked on."),
    click.option(
        "--progress",
        type=click.Choice(["auto", "tty", "plain", "quiet"]),
        is_eager=True,
        expose_value=False,
        callback=_set("progress"),
        help="How to show progress, on standard error.",
    ),
    _flag("--no-color", setting="color", value=False, description="No colours; NO_COLOR=1 does the same."),
    _flag("--debug", setting="debug", value=True, description="Tracebacks of unexpected errors; REPRO_DEBUG=1 too."),
)


def _screen_width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDE
    except (OSError, ValueError):
        return _WIDE
