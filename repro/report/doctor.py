"""What `repro doctor` found, for a person at a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from repro.report.style import Mark, Style

Status = Literal["ok", "warn", "fail"]
_MARKS: dict[Status, Mark] = {"ok": "ok", "warn": "warn", "fail": "bad"}
_WORDS: dict[Status, str] = {"ok": "", "warn": "warning: ", "fail": "failed: "}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What, in a word or two.
        status: "fail" means that capture, build or verify can't work.
        message: What was found.
        fix: What to do about it, or None.
        details: More lines, such as every place that was tried.
    """

    name: str
    status: Status
    message: str
    fix: str | None = None
    details: tuple[str, ...] = ()


def doctor_text(checks: Sequence[Check], style: Style) -> str:
    """The checks, a line or a few each, and one last line."""
    column = max(len(check.name) for check in checks) + 2
    lines = [line for check in checks for line in _check(check, column, style)]
    failed = sum(check.status == "fail" for check in checks)
    last = (
        f"{style.mark('bad')} {failed} of {len(checks)} checks failed"
        if failed
        else f"{style.mark('ok')} everything that is needed works"
    )
    return "\n".join([*lines, "", last]) + "\n"


def _check(check: Check, column: int, style: Style) -> list[str]:
    first = f"{style.mark(_MARKS[check.status])} {check.name.ljust(column)}"
    lines = style.wrap(_WORDS[check.status] + check.message, first, lead=2 + column)
    lines += style.block(check.details, 2 + column)
    if check.fix:
        lines += style.wrap(check.fix, " " * (2 + column) + f"{style.arrow} ")
    return lines
