"""How text is drawn: with or without colour, for a width, in Unicode or ASCII, and never with foreign control codes."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "bad", "warn", "info"]

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_MARKS: dict[Mark, tuple[str, str, str]] = {
    "ok": ("✓", "+", "green"),
    "bad": ("✗", "x", "red"),
    "warn": ("!", "!", "yellow"),
    "info": ("·", "-", "dim"),
}
_ASCII = str.maketrans({"±": "+/-", "…": "...", "—": "-", "·": "-", "→": "->", "✓": "+", "✗": "x", "•": "-"})
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader's screen can do.

    Attributes:
        width: Columns.
        color: Whether it understands ANSI colours.
        unicode: Whether it can show more than ASCII.
    """

    width: int = 80
    color: bool = False
    unicode: bool = True

    def paint(self, text: str, *colors: str) -> str:
        """The text in colours: red, green, yellow, cyan, bold, dim."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[color] for color in colors)}m{text}\x1b[0m"

    def mark(self, kind: Mark) -> str:
        """A sign that reads without colour too."""
        fine, plain, color = _MARKS[kind]
        return self.paint(fine if self.unicode else plain, color)

    @property
    def arrow(self) -> str:
        """Leads to what to do."""
        return "→" if self.unicode else "->"

    def text(self, text: str) -> str:
        """Anybody's text on one line, safe to show: see `printable`; in ASCII where that's all there is."""
        safe = printable(text)
        return safe if self.unicode else safe.translate(_ASCII)

    def wrap(self, text: str, first: str = "", rest: str | None = None, *, lead: int | None = None) -> list[str]:
        """The text in lines of at most `width` columns, after `first` and then `rest` (as many spaces when None).

        `lead` is the visible width of `first` when it holds colour codes.
        """
        columns = len(first) if lead is None else lead
        rest = " " * columns if rest is None else rest
        room = max(self.width - max(columns, len(rest)), 20)
        lines = textwrap.wrap(self.text(text), room, break_long_words=False, break_on_hyphens=False) or [""]
        return [first + lines[0], *(rest + line for line in lines[1:])]

    def block(self, lines: Iterable[str], indent: int) -> Iterator[str]:
        """Lines as they are, safe to show, indented."""
        return (f"{' ' * indent}{self.text(line)}".rstrip() for line in lines)

    def fields(self, pairs: Iterable[tuple[str, str]], indent: int = 2) -> list[str]:
        """Names and values as two columns; empty values are left out."""
        shown = [(name, value) for name, value in pairs if value]
        column = max((len(name) for name, _ in shown), default=0) + 2
        return [
            line
            for name, value in shown
            for line in self.wrap(
                value,
                " " * indent + self.paint(name, "dim") + " " * (column - len(name)),
                lead=indent + column,
            )
        ]


def printable(text: str) -> str:
    """The text with every control, format and unassigned character shown as its escape, so that none takes effect.

    What comes out of containers, notebooks and package indexes could otherwise rewrite the screen.
    """
    if text.isprintable():
        return text
    plain = text.replace("\t", "    ")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in plain)


def human_size(size: float) -> str:
    """Bytes for people: `999 bytes`, `1.2 MB`."""
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size /= _STEP
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def human_time(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `3 min 5 s`, `2 h 1 min`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"
