"""What `repro check` found, for people at a terminal, for code hosts, and for programs."""

import shlex
from collections.abc import Iterator
from itertools import groupby

from repro.differ.check import Finding, Item, Level, Report, Status
from repro.report.json import document
from repro.report.style import Mark, Style, human_time, printable
from repro.words import count

_MARKS: dict[Status, Mark] = {"true": "ok", "stale": "bad", "warning": "warn", "skipped": "info"}
_LEVELS: dict[Level, Mark] = {"stale": "bad", "warning": "warn", "note": "info"}
_ANNOTATIONS: dict[Level, str] = {"stale": "error", "warning": "warning", "note": "notice"}
_MOST = 20
"""Findings of one kind at a terminal."""


def check_text(report: Report, style: Style) -> str:
    """Everything that was looked at with what was found, what to do, and one last line."""
    column = max(len(item.name) for item in report.items) + 2
    lines = [line for item in report.items for line in _item(item, column, style)]
    return "\n".join([*lines, "", *_last(report, style)]) + "\n"


def check_json(report: Report) -> bytes:
    """`repro.check/1` (docs/formats/diff.md)."""
    items = [
        {"name": item.name, "status": item.status, "what": item.what, "findings": item.findings}
        for item in report.items
    ]
    return document(
        "repro.check/1",
        {
            "lock": str(report.lock),
            "digest": report.digest,
            "subject": report.subject,
            "true": not report.stale,
            "seconds": report.seconds,
            "items": items,
        },
    )


def check_annotations(report: Report) -> str:
    """Workflow commands of GitHub, one line each: they show beside the files of a pull request."""
    return "".join(
        f"::{_ANNOTATIONS[one.level]} file={_property(one.path or report.lock.name)},"
        f"title={_property(f'repro check: {item.name}')}::{_data(_sentence(one))}\n"
        for item in report.items
        for one in item.findings
        if one.level != "note"
    )


def _item(item: Item, column: int, style: Style) -> Iterator[str]:
    first = f"{style.mark(_MARKS[item.status])} {item.name.ljust(column)}"
    said = f"not checked: {item.what}" if item.skipped else item.what
    yield from style.wrap(said, first, lead=2 + column)
    for cure, same in groupby(item.findings[:_MOST], key=lambda one: one.cure):
        for one in same:
            yield from style.wrap(_what(one), f"    {style.mark(_LEVELS[one.level])} ", lead=6)
            yield from style.block(one.details, 8)
        if cure:
            yield from style.wrap(cure, f"      {style.arrow} ")
    if len(item.findings) > _MOST:
        yield f"    and {len(item.findings) - _MOST} more; --json has all"


def _what(one: Finding) -> str:
    return one.what if one.what.startswith(one.subject) else f"{one.subject}: {one.what}"


def _last(report: Report, style: Style) -> Iterator[str]:
    stale = sum(one.level == "stale" for item in report.items for one in item.findings)
    skipped = [item.name for item in report.items if item.skipped]
    parts = [f"{count(stale, 'difference')}" if stale else "", f"not checked: {', '.join(skipped)}" if skipped else ""]
    rest = "".join(f", {part}" for part in parts if part)
    seconds = human_time(report.seconds)
    if not report.stale:
        yield f"{style.mark('ok')} {style.paint('true', 'bold', 'green')}: the lock says what is here{rest}, {seconds}"
        return
    if not any(one.cure for item in report.items if item.name == "subject" for one in item.findings):
        command = shlex.join(["repro", "capture", report.subject, *(["--", *report.args] if report.args else [])])
        yield from style.wrap(f"next: {command}, if all of this is meant", f"{style.arrow} ")
    yield f"{style.mark('bad')} {style.paint('stale', 'bold', 'red')}: the lock is not true any more{rest}, {seconds}"


def _sentence(one: Finding) -> str:
    cure = f"; {one.cure}" if one.cure else ""
    return "\n".join(map(printable, [f"{_what(one)}{cure}", *one.details]))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
