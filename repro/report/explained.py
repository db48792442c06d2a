"""What explains a verdict, for a person at a terminal: gates, causes, and how several runs differ."""

from collections.abc import Iterator, Sequence

from repro.report.metrics import value_text
from repro.report.style import Style
from repro.runner.documents import Value
from repro.verify.model import Cause, GateResult, MetricRuns, RunsSummary
from repro.words import count

_MISSING = "missing"


def gate_lines(gates: Sequence[GateResult], style: Style) -> list[str]:
    """Each limit with what was measured; nothing without any."""
    if not gates:
        return []
    rows = [(gate.metric, gate.rule, gate_value(gate)) for gate in gates]
    shown = [tuple(style.text(cell) for cell in row) for row in rows]
    headings = ("gate", "limit", "measured")
    first, second = (max(len(row[column]) for row in (headings, *shown)) for column in (0, 1))

    def aligned(row: Sequence[str]) -> str:
        return f"{row[0]:<{first}}  {row[1]:<{second}}  {row[2]}"

    marks = (style.mark("ok" if gate.passed else "bad") for gate in gates)
    lines = [f"{mark} {aligned(row)}" for mark, row in zip(marks, shown, strict=True)]
    return [style.paint(f"  {aligned(headings)}", "dim"), *lines]


def gate_value(gate: GateResult) -> str:
    """What was measured, in full."""
    return _MISSING if gate.measured is None else value_text(gate.measured)


def cause_lines(causes: Sequence[Cause], style: Style) -> list[str]:
    """What may explain a difference, the likeliest first, each with both sides, its evidence and its cure."""
    if not causes:
        return []
    head = "what may explain it, the likeliest first:" if len(causes) > 1 else "what may explain it:"
    return [head, *(line for number, cause in enumerate(causes, 1) for line in _cause(number, cause, style))]


def runs_lines(runs: RunsSummary | None, style: Style) -> list[str]:
    """What several runs showed; nothing of a single one."""
    if runs is None:
        return []
    head = f"{count(runs.runs, 'run')}{differing(runs)}:"
    metrics = [line for metric in runs.metrics for line in _metric(metric, style)]
    causes = [line for cause in runs.causes for line in style.wrap(cause, f"  {style.mark('info')} ", lead=4)]
    return [*style.wrap(head), *metrics, *causes]


def differing(runs: RunsSummary) -> str:
    """Where they first show something else, as the rest of a sentence."""
    return f", which first differ in {runs.cell}" if runs.cell else ""


def series(values: Sequence[Value | None]) -> str:
    """The values of several runs, each in full."""
    return ", ".join(map(value_text, values)) or value_text(None)


def _cause(number: int, cause: Cause, style: Style) -> Iterator[str]:
    lead = f"{number}. "
    color = {"certain": "red", "likely": "yellow", "possible": "cyan"}[cause.confidence]
    word = style.paint(cause.confidence, "bold", color)
    first = f"{lead}{word}: "
    yield from style.wrap(cause.message, first, " " * len(lead), lead=len(lead) + len(cause.confidence) + 2)
    sides = (("where", cause.where), ("laptop", cause.laptop), ("here", cause.here), ("rule", cause.rule))
    yield from style.fields(sides, indent=len(lead) + 2)
    yield from style.block(cause.evidence, len(lead) + 2)
    if cause.fix:
        yield from style.wrap(cause.fix, f"{' ' * (len(lead) + 2)}{style.arrow} ")


def _metric(metric: MetricRuns, style: Style) -> Iterator[str]:
    yield from style.wrap(metric.name, "  ")
    yield from style.fields((("laptop", series(metric.baseline)), ("here", series(metric.values))), indent=4)
    yield from style.wrap(metric.statement, "    ") if metric.statement else ()
