"""Anybody's text in GitHub's Markdown, so that it shows as it is and means nothing."""

import html
import re

from repro.report.style import printable

_MARKUP = re.compile(r"[\\`*\[\]<>&|~$@#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)/(?=/)|(?<=\bwww)\.")
_FIRST = re.compile(r"^(\s*(?:\d+(?=[.)])|))([-+=.)])")
_UNLINKED = re.compile(r"(?<=[@#])(?=\w)")
_NOTHING_WIDE = "\u200b"
"""After a character that would make a mention or a reference: those are found in what is shown."""


def prose(text: str, longest: int = 2000) -> str:
    """Text on one line, for a paragraph, an item or a table's cell."""
    shown = _UNLINKED.sub(_NOTHING_WIDE, shortened(printable(text).strip(), longest))
    escaped = _MARKUP.sub(lambda found: _entity(found[0]), shown)
    return _FIRST.sub(lambda found: found[1] + _entity(found[2]), escaped)


def code(text: str, longest: int = 500) -> str:
    """Text on one line, in the typeface of code; nothing for nothing."""
    shown = shortened(printable(text), longest)
    if not shown:
        return ""
    if shown == shown.strip() and not re.search(r"[`|\\]", shown):
        return f"`{shown}`"
    return f"<code>{re.sub(r'[^A-Za-z0-9 ]', lambda found: _entity(found[0]), shown)}</code>"


def block(text: str, most: int = 40, longest: int = 500) -> str:
    """Lines as they are, in a fence that they can't end; of more than `most` the last ones."""
    lines = text.splitlines()
    left = len(lines) - most
    kept = [shortened(printable(line), longest) for line in lines[-most:]]
    if left > 0:
        kept.insert(0, f"… {left} lines before these")
    runs = [len(run) for line in kept for run in re.findall("`+", line)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    return "\n".join([f"{fence}text", *kept, fence])


def details(summary: str, content: str) -> str:
    """Content that unfolds under one line."""
    return f"<details><summary>{html.escape(printable(summary))}</summary>\n\n{content}\n\n</details>"


def shortened(text: str, longest: int) -> str:
    """At most so many characters, with a sign that there were more."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _entity(character: str) -> str:
    return f"&#{ord(character)};"
