"""All rules, what they find in a source, and what is left after a run. A new rule is a module and a line here."""

from collections.abc import Collection, Iterable

from repro.capture.findings import (
    clock,
    environment,
    imports,
    keyboard,
    network,
    order,
    own_input,
    paths,
    randomness,
    repeats,
    undefined,
)
from repro.capture.findings.local import in_modules
from repro.capture.findings.model import LEVELS, Finding, Rule, Run
from repro.capture.findings.source import Cell, Source

RULES: tuple[Rule, ...] = (
    undefined.UNDEFINED,
    undefined.SYNTAX,
    imports.MISSING,
    order.OUT_OF_ORDER,
    repeats.NOT_DETERMINISTIC,
    randomness.UNSEEDED,
    network.NETWORK,
    environment.RULE,
    own_input.OWN_INPUT,
    paths.PATHS,
    keyboard.KEYBOARD,
    clock.CLOCK,
    imports.UNUSED,
    order.NOT_FROM_TOP,
)
NAMES = tuple(sorted(rule.name for rule in RULES))


def find(source: Source, allowed: Collection[str] = ()) -> tuple[Finding, ...]:
    """What the rules find in a source before anything runs, the worst first, then by place.

    Args:
        source: A notebook or script.
        allowed: Rules whose findings are not told; comments in the source silence others.
    """
    found = (finding for rule in RULES for finding in rule.check(source))
    return _told(source, found, allowed)


def settle(source: Source, findings: Iterable[Finding], run: Run, allowed: Collection[str] = ()) -> tuple[Finding, ...]:
    """What is left, or has come up, after a run that succeeded: it disproves some, and confirms others.

    Only then are local modules looked at: the run tells which were imported, and what they really did.
    """
    every = tuple(findings)
    found = (
        finding
        for rule in RULES
        for finding in rule.settle(source, tuple(one for one in every if one.rule == rule.name), run)
    )
    return _told(source, (*found, *in_modules(source, run)), allowed)


def _told(source: Source, findings: Iterable[Finding], allowed: Collection[str]) -> tuple[Finding, ...]:
    cells = {(source.path, cell.number): cell for cell in source.cells}
    kept = {
        one
        for one in findings
        if one.rule not in allowed and not _silenced(one, cells.get((one.place.path, one.place.cell)))
    }
    order_of = {rule.name: number for number, rule in enumerate(RULES)}
    return tuple(
        sorted(
            kept,
            key=lambda one: (
                LEVELS.index(one.level),
                order_of[one.rule],
                one.place.path != source.path,
                one.place.path,
                one.place.cell or 0,
                one.place.line or 0,
                one.what,
            ),
        )
    )


def _silenced(finding: Finding, cell: Cell | None) -> bool:
    """Whether a comment allows it: on its line; anywhere in the cell where it is about the cell as a whole."""
    if cell is None:
        return False
    line = finding.place.line
    rules = cell.allowed.values() if line is None else [cell.allowed.get(line, frozenset())]
    return any(finding.rule in one for one in rules)
