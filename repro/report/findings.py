"""Findings for a person at a terminal: by level and rule, each place on a line of its own, the cure once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from repro.capture.findings import RULES, Finding, Level
from repro.report.style import Mark, Style
from repro.words import count

_MARKS: Mapping[Level, Mark] = {"error": "bad", "warning": "warn", "note": "info"}
_TITLES = {rule.name: rule.title for rule in RULES}
_MOST = 5
"""Places of one kind; --json and --sarif have all."""


def finding_summary(findings: Sequence[Finding], style: Style) -> list[str]:
    """Findings, which come sorted by level and rule, as lines of text; none for none."""
    lines = [
        line
        for (level, rule), group in groupby(findings, key=lambda one: (one.level, one.rule))
        for line in _group(level, rule, list(group), style)
    ]
    return [*lines, *_last(findings, style)] if findings else []


def findings_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as docs/formats/findings.md has them for JSON."""
    return [
        {
            "rule": one.rule,
            "level": one.level,
            "path": one.place.path,
            "cell": one.place.cell,
            "line": one.place.line,
            "file_line": one.place.file_line,
            "what": one.what,
            "cure": one.cure,
        }
        for one in findings
    ]


def _group(level: Level, rule: str, findings: Sequence[Finding], style: Style) -> Iterator[str]:
    head = f"{level}: {_TITLES.get(rule, rule)} ({rule})"
    yield from style.wrap(head, f"{style.mark(_MARKS[level])} ", lead=2)
    shown = findings[:_MOST]
    for cure, same in groupby(shown, key=lambda one: one.cure):
        for one in same:
            yield from style.wrap(str(one), "    ", "      ")
        yield from style.wrap(cure, f"    {style.arrow} ", "      ")
    if len(findings) > len(shown):
        yield from style.wrap(f"and {len(findings) - len(shown)} more: --json and --sarif list all", "    ")


def _last(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    numbers = [
        count(sum(one.level == level for one in findings), level)
        for level in _MARKS
        if any(one.level == level for one in findings)
    ]
    rule = findings[0].rule
    text = f"{', '.join(numbers)}; silence one with a comment on its line: # repro: allow {rule}"
    yield from style.wrap(text, "  ")
