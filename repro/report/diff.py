"""What `repro diff` found, for people at a terminal, for pull requests, and for programs."""

from collections.abc import Iterator

from repro.differ import Change, Difference, Group, Section, Side
from repro.report.json import document
from repro.report.markup import block, code, prose
from repro.report.style import Style
from repro.words import count

TITLES: dict[Group, str] = {
    "code": "subject and code",
    "data": "data and models",
    "packages": "packages",
    "python": "Python and base image",
    "system": "system packages",
    "environment": "environment of the run",
    "machine": "machine of the baseline",
    "metrics": "metrics and policy",
    "evidence": "what can't move a metric",
}
_KINDS = {"lock": "lock", "image": "the lock in the image", "tree": "files, settings and packages as they are now"}
_HIDDEN = {
    *("content", "version", "setting", "variable", "metric", "value", "evidence", "rule", "policy", "path", "patched"),
    *("executable", "mount", "digest", "supply", "library", "features", "scripts", "requested"),
}
"""Aspects that go without saying."""
_CONTENTS = {"content", "comments", "outputs", "layout"}
_WORDS = {
    "comments": "only comments or layout",
    "outputs": "only outputs, texts or metadata",
    "layout": "only layout",
    "build": "another build",
    "blas": "another BLAS",
    "rebuilt": "other bytes under the same name",
    "captured": "what the laptop had",
    "without": "files left out",
    "source": "its source",
    "requested": "who asked for it",
}
_MOST = 40
"""Changes of one group at a terminal."""
_WIDEST = 28
_LONGEST_PAGE = 60_000
"""Characters: comments of pull requests hold 65,536."""


def diff_text(found: Difference, style: Style) -> str:
    """Every change by group, those that can't move a metric marked as such, and one last line."""
    sections = [
        style.fields([("before", _side(found.before)), ("after", _side(found.after))]),
        *(list(_section(section, style)) for section in found.sections if section.changes),
        [line for text in _unknown(found) for line in _not_compared(text, style)],
        [_last(found, style)],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def diff_json(found: Difference) -> bytes:
    """`repro.diff/1` (docs/formats/diff.md)."""
    return document(
        "repro.diff/1",
        {
            "before": found.before,
            "after": found.after,
            "same": found.same,
            "moves": found.moves,
            "sections": [
                {"group": one.group, "changes": one.changes, "unknown": one.unknown} for one in found.sections
            ],
        },
    )


def diff_markdown(found: Difference) -> str:
    """For a pull request: as long as a comment may be, the longest details left out first."""
    for most in (40, 8, 2, 0):
        page = _page(found, most)
        if len(page) <= _LONGEST_PAGE:
            return page
    return f"{page[:_LONGEST_PAGE].rpartition(chr(10))[0]}\n\n… cut: `repro diff` shows all of it.\n"


def summary(found: Difference) -> str:
    """How many changes there are, in words."""
    changes = [change for section in found.sections for change in section.changes]
    moving = sum(change.moves for change in changes)
    still = len(changes) - moving
    if not changes:
        return "nothing that was compared differs"
    parts = [
        f"{count(moving, 'change')} that can move a metric" if moving else "nothing that can move a metric",
        f"{still} that can't" if still else "",
    ]
    return ", ".join(filter(None, parts))


def change_lines(change: Change, style: Style, width: int = 0) -> Iterator[str]:
    """A change with its details below it."""
    mark = style.mark("warn" if change.moves else "info")
    name = style.text(change.what).ljust(width)
    yield from style.wrap(f"{name}  {_said(change, style.arrow)}", f"{mark} ", lead=2)
    yield from style.block(change.details, 4)


def _section(section: Section, style: Style) -> Iterator[str]:
    yield style.paint(TITLES[section.group], "bold")
    shown = section.changes[:_MOST]
    width = min(max((len(style.text(change.what)) for change in shown), default=0), _WIDEST)
    for change in shown:
        yield from change_lines(change, style, width)
    if len(section.changes) > len(shown):
        yield f"  and {count(len(section.changes) - len(shown), 'more change')}; --json has all"


def _unknown(found: Difference) -> Iterator[str]:
    """What was not compared, each reason once."""
    yield from dict.fromkeys(text for section in found.sections for text in section.unknown)


def _not_compared(text: str, style: Style) -> list[str]:
    return style.wrap(f"not compared: {text}", f"{style.mark('info')} ", lead=2)


def _said(change: Change, arrow: str) -> str:
    words = (_values(change, arrow), _aspect(change), f"({change.note})" if change.note else "")
    return "  ".join(filter(None, words))


def _values(change: Change, arrow: str) -> str:
    if change.kind == "added":
        return f"added{f': {change.after}' if change.after else ''}"
    if change.kind == "removed":
        return f"removed{f': {change.before}' if change.before else ''}"
    if change.aspect in _CONTENTS or not (change.before or change.after):
        return "changed"
    if change.before == change.after:
        return change.after
    return f"{change.before or 'nothing'} {arrow} {change.after or 'nothing'}"


def _aspect(change: Change) -> str:
    if change.aspect in _HIDDEN or change.aspect == change.what:
        return ""
    return _WORDS.get(change.aspect, change.aspect.replace("-", " "))


def _side(side: Side) -> str:
    short = f"{side.digest[:19]}"
    return f"{side.name}: {_KINDS[side.kind]}, {'read by ' if side.kind == 'tree' else ''}{short}"


def _last(found: Difference, style: Style) -> str:
    if found.same:
        return f"{style.mark('ok')} {style.paint('same', 'bold', 'green')}: {summary(found)}"
    return f"{style.mark('warn')} {style.paint('different', 'bold', 'yellow')}: {summary(found)}"


def _page(found: Difference, most: int) -> str:
    heading = "same" if found.same else "different"
    lines = [f"### `repro diff`: {heading}", "", f"{summary(found)[0].upper()}{summary(found)[1:]}.", ""]
    lines += [f"- before: {code(found.before.name)}, {code(found.before.digest[:19])}"]
    lines += [f"- after: {code(found.after.name)}, {code(found.after.digest[:19])}"]
    for section in found.sections:
        if section.changes:
            lines += ["", f"#### {TITLES[section.group][0].upper()}{TITLES[section.group][1:]}", ""]
        for change in section.changes:
            lines += _item(change, most)
    unknown = [f"- {prose(text)}" for text in _unknown(found)]
    return "\n".join([*lines, *(["", "Not compared:", "", *unknown] if unknown else [])]) + "\n"


def _item(change: Change, most: int) -> Iterator[str]:
    words = [_marked(change), _aspect(change), change.note, "" if change.moves else "can't move a metric"]
    name = f"**{code(change.what)}**" if change.moves else code(change.what)
    yield f"- {name}: {', '.join(filter(None, words))}"
    if change.details and most:
        shown = [*change.details[:most], *(["…"] if len(change.details) > most else [])]
        yield from (f"  {line}" for line in block("\n".join(map(_outdented, shown)), most + 1).splitlines())


def _marked(change: Change) -> str:
    if change.kind != "changed":
        return f"{change.kind} {code(change.after or change.before)}".strip()
    if change.aspect in _CONTENTS or not (change.before or change.after):
        return "changed"
    if change.before == change.after:
        return code(change.after)
    return f"{code(change.before) or 'nothing'} → {code(change.after) or 'nothing'}"


def _outdented(line: str) -> str:
    """Lines of a text begin with their sign."""
    return line[2:] if line[:4] in {"  - ", "  + "} else line
