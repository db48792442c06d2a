"""A verdict as Markdown for CI job summaries: everything escaped, and never larger than GitHub takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.outputs.model import OutputComparison
from repro.report.dossier import Dossier
from repro.report.explained import differing, gate_value, series
from repro.report.markup import block, code, details, prose, shortened
from repro.report.metrics import remark, rule_cell, value_text, verdict_word
from repro.report.style import human_size, human_time
from repro.runner.compare import EXTRA, Comparison
from repro.runner.report import difference_text
from repro.verify.model import Cause, Finding, GateResult, MetricRuns, Outcome, Verdict
from repro.words import count

LIMIT = 1_000_000
"""Bytes: GitHub shows no summary of more than 1 MiB (docs.github.com, "Step isolation and limits")."""
_NOTE = 2_000
_SHARE = 0.6
"""Most of what is left that one part takes."""
_LINES = 30
_SHORT = 19
_MARKS = {"error": "❌", "warning": "⚠️", "info": "💡"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the summary, whose last items can be left out.

    Attributes:
        head: What comes before the items.
        items: Each ends with a newline or more.
        noun: What an item is.
    """

    head: str
    items: Sequence[str]
    noun: str


def render(dossier: Dossier) -> bytes:
    """The summary."""
    return summary(dossier.verdict).encode("utf-8")


def summary(verdict: Verdict, limit: int = LIMIT) -> str:
    """The summary in at most `limit` bytes; what doesn't fit is counted at its end."""
    written, left, room = [], [], limit - _NOTE
    for part in _parts(verdict):
        taken, over = _taken(part, room if not part.items else room * _SHARE)
        written.append(taken)
        room -= len(taken.encode())
        if over:
            left.append(count(over, part.noun))
    if left:
        written.append(
            f"> **Left out**, because a summary has at most {human_size(limit)}: {', '.join(left)}. "
            "The JSON and HTML reports have all.\n"
        )
    return "\n".join(text for text in written if text)


def _taken(part: Part, room: float) -> tuple[str, int]:
    """The part as far as it fits, and how many of its items don't."""
    text, size = [part.head], len(part.head.encode())
    for number, item in enumerate(part.items):
        size += len(item.encode())
        if size > room:
            return ("".join(text) if number else ""), len(part.items) - number
        text.append(item)
    return "".join(text), 0


def _parts(verdict: Verdict) -> Iterator[Part]:
    yield Part(_head(verdict), (), "")
    yield from _metrics(verdict.metrics)
    yield from _gates(verdict.gates)
    yield from _outputs(verdict.outputs)
    if verdict.causes:
        yield Part("### What may explain it\n\n", [_cause(cause) for cause in verdict.causes], "cause")
    if verdict.runs is not None:
        where = prose(differing(verdict.runs))
        head = f"### {count(verdict.runs.runs, 'run')}{where}\n\n"
        items = [f"- {prose(cause)}\n" for cause in verdict.runs.causes]
        yield Part(head, [*items, *map(_runs, verdict.runs.metrics)], "metric of several runs")
    yield Part("", list(_failure(verdict)), "part of the failure")
    if verdict.findings:
        yield Part("### Also seen\n\n", [_finding(finding) for finding in verdict.findings], "finding")
    yield Part(_judged(verdict), (), "")


def _head(verdict: Verdict) -> str:
    mark = "✅" if verdict.outcome is Outcome.VERIFIED else "❌"
    name = f" · {prose(verdict.image.reference, 200)}" if verdict.image else ""
    fix = f"\n**What to do:** {prose(verdict.fix)}\n" if verdict.fix else ""
    outcome = str(verdict.outcome).replace("-", " ")
    return f"<!-- repro.report -->\n## {mark} {outcome}{name}\n\n{prose(verdict.reason)}\n{fix}"


def _metrics(comparisons: Sequence[Comparison]) -> Iterator[Part]:
    """Those that failed first."""
    if comparisons:
        head = "### Same as on the laptop?\n\n" + _header("", "metric", "baseline", "measured", "difference", "allowed")
        ordered = sorted(comparisons, key=lambda item: item.passed)
        yield Part(head, [_metric(item) for item in ordered], "metric")


def _metric(item: Comparison) -> str:
    mark = "▫️" if item.status == EXTRA else "✅" if item.passed else "❌"
    word = prose(", ".join(text for text in (verdict_word(item), remark(item)) if text))
    values = (code(value_text(item.baseline)), code(value_text(item.measured)), code(difference_text(item)))
    return _row(f"{mark} {word}", code(item.name), *values, code(rule_cell(item)))


def _gates(gates: Sequence[GateResult]) -> Iterator[Part]:
    if gates:
        head = "### Gates\n\n" + _header("", "metric", "limit", "measured")
        rows = [
            _row(
                "✅ kept" if gate.passed else "❌ not kept", code(gate.metric), code(gate.rule), code(gate_value(gate))
            )
            for gate in sorted(gates, key=lambda gate: gate.passed)
        ]
        yield Part(head, rows, "gate")


def _outputs(outputs: Sequence[OutputComparison]) -> Iterator[Part]:
    if outputs:
        ordered = sorted(outputs, key=lambda output: output.passed)
        yield Part("### Files and outputs\n\n", [_output(output) for output in ordered], "output")


def _output(output: OutputComparison) -> str:
    mark = "✅" if output.passed else "❌"
    told = f"- {mark} {code(output.name)}: {prose(output.summary)} ({code(output.rule)})\n"
    return told + _evidence(tuple(line.strip() for line in output.details), "  ")


def _cause(cause: Cause) -> str:
    sides = (("where", cause.where), ("laptop", cause.laptop), ("here", cause.here))
    told = "".join(f"   - {name}: {code(text)}\n" for name, text in sides if text)
    fix = f"   - **What to do:** {prose(cause.fix)}\n" if cause.fix else ""
    evidence = _evidence(cause.evidence, "   ")
    return f"1. **{cause.confidence}:** {prose(cause.message)} ({code(cause.rule)})\n{told}{fix}{evidence}"


def _finding(finding: Finding) -> str:
    return f"- {_MARKS[finding.severity]} {prose(finding.message)}\n{_evidence(finding.evidence, '  ')}"


def _evidence(lines: Sequence[str], indent: str) -> str:
    """Lines of evidence below an item."""
    shown = [f"{indent}- {code(line)}\n" for line in lines[:_LINES] if line.strip()]
    left = len(lines) - _LINES
    return "".join([*shown, f"{indent}- … and {left} more\n"] if left > 0 else shown)


def _runs(metric: MetricRuns) -> str:
    sides = "".join(
        f"  - {name}: {code(shortened(series(values), 2000), 2000)}\n"
        for name, values in (("laptop", metric.baseline), ("here", metric.values))
    )
    return f"- {code(metric.name)}{': ' if metric.statement else ''}{prose(metric.statement)}\n{sides}"


def _failure(verdict: Verdict) -> Iterator[str]:
    run = verdict.run
    if run is None:
        return
    if run.failure:
        cell = f"Cell {run.failure.cell}" if run.failure.cell is not None else "What it was running"
        for problem in run.failure.problems[:_LINES]:
            yield f"- {code(problem)}\n"
        if run.failure.source:
            yield f"\n{details(cell, block(run.failure.source))}\n"
        if run.failure.traceback:
            yield f"\n{details('What it raised', block(run.failure.traceback))}\n"
    if run.log:
        yield f"\n{details('The last lines that it printed', block(chr(10).join(run.log)))}\n"


def _judged(verdict: Verdict) -> str:
    """What was judged, by hash."""
    rows = [(name, text) for name, text in _facts(verdict) if text]
    return "\n" + _header("judged", "") + "".join(_row(name, text) for name, text in rows)


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    image, lock, run, engine = verdict.image, verdict.lock, verdict.run, verdict.engine
    if image:
        yield "image", " ".join(code(part) for part in (image.reference, image.id, image.platform) if part)
    if lock:
        baked = "" if lock.source == "file" else ", the one baked into the image"
        yield "lock", f"{code(lock.digest)}{baked}"
        yield "subject", code(lock.subject)
    if run:
        python = f"Python {run.python_version}" if run.python_version else ""
        parts = (count(len(run.cells), "cell") if run.cells else "", human_time(run.seconds), python)
        yield "run", prose(", ".join(part for part in parts if part))
    if engine:
        yield "engine", prose(f"{engine.name} {engine.version}, {engine.platform}")
    yield "judged by", prose(f"repro {verdict.repro}, {verdict.created}")


def _header(*names: str) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"
