"""A verdict for a person at a terminal: what was judged, the metrics, what explains them, and one last line."""

from collections.abc import Iterator

from repro.report.explained import cause_lines, gate_lines, runs_lines
from repro.report.metrics import metrics_table
from repro.report.outputs import output_lines
from repro.report.style import Mark, Style, human_size, human_time
from repro.runner.documents import Failure
from repro.verify.model import Finding, Outcome, RunSummary, Severity, Verdict
from repro.words import count

_MARKS: dict[Severity, Mark] = {"error": "bad", "warning": "warn", "info": "info"}
_WORDS: dict[Severity, str] = {"error": "", "warning": "warning: ", "info": ""}
_SOURCE_LINES = 30
_SHORT = 19
"""Characters of a digest that people see: `sha256:` and twelve."""


def verdict_text(verdict: Verdict, style: Style) -> str:
    """The whole report; its last line says how it ended."""
    sections = [
        style.fields(_head(verdict)),
        metrics_table(verdict.metrics, style) if verdict.metrics else [],
        output_lines(verdict.outputs, style),
        gate_lines(verdict.gates, style),
        runs_lines(verdict.runs, style),
        list(_run(verdict.run, style)),
        cause_lines(verdict.causes, style),
        [line for finding in verdict.findings for line in finding_lines(finding, style)],
        style.fields([("evidence", verdict.evidence or "")]),
        style.wrap(verdict.fix, f"{style.arrow} ") if verdict.fix else [],
        _last(verdict, style),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def finding_lines(finding: Finding, style: Style) -> Iterator[str]:
    """A finding with its evidence below it."""
    mark = style.mark(_MARKS[finding.severity])
    yield from style.wrap(_WORDS[finding.severity] + finding.message, f"{mark} ", lead=2)
    yield from style.block(finding.evidence, 4)


def _head(verdict: Verdict) -> Iterator[tuple[str, str]]:
    image, lock, run, engine = verdict.image, verdict.lock, verdict.run, verdict.engine
    if image:
        yield "image", ", ".join(part for part in (image.reference, image.id[:_SHORT], image.platform) if part)
    if lock:
        source = "" if lock.source == "file" else ", the one baked into the image"
        yield "lock", f"{lock.digest[:_SHORT]}, {lock.subject}{source}"
    if run:
        parts = [
            count(len(run.cells), "cell") if run.cells else "",
            human_time(run.seconds),
            f"Python {run.python_version}" if run.python_version else "",
            f"{engine.name} {engine.version}" if engine else "",
            f"at most {human_size(run.memory)} of memory" if run.memory else "",
        ]
        yield "run", ", ".join(part for part in parts if part)


def _run(run: RunSummary | None, style: Style) -> Iterator[str]:
    if run is None:
        return
    if run.failure:
        yield from _failure(run.failure, style)
    if run.log:
        yield "the last lines that it printed:"
        yield from style.block(run.log, 4)


def _failure(failure: Failure, style: Style) -> Iterator[str]:
    """The failing cell with its source and what it raised. Files that aren't the lock's are among the findings."""
    if failure.kind != "tampered":
        yield from style.block((f"- {problem}" for problem in failure.problems), 2)
    if failure.source:
        yield f"cell {failure.cell}:" if failure.cell is not None else "it was running:"
        yield from style.block(failure.source.splitlines()[:_SOURCE_LINES], 4)
    if failure.traceback:
        yield "what it raised:"
        yield from style.block(failure.traceback.splitlines()[-_SOURCE_LINES:], 4)


def _last(verdict: Verdict, style: Style) -> list[str]:
    good = verdict.outcome is Outcome.VERIFIED
    mark = style.mark("ok" if good else "bad")
    word = str(verdict.outcome).replace("-", " ")
    if verdict.outcome is Outcome.TAMPERED and any(finding.kind == "lock" for finding in verdict.findings):
        word += " or outdated"  # nobody can tell: an older build of the same project looks the same
    painted = style.paint(word, "bold", "green" if good else "red")
    return [f"{mark} {painted}: {style.text(verdict.reason)}"]
