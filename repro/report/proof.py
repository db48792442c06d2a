"""An explanation, for a person at a terminal and as JSON: metrics, causes, what was swapped and what came of it."""

import json
from collections.abc import Iterator
from typing import Any

from repro.proof.explanation import Conclusion, Explanation, Result, Trial, TrialRun
from repro.report.explained import cause_lines
from repro.report.json import document
from repro.report.metrics import metrics_table, value_text
from repro.report.style import Mark, Style
from repro.verify.document import encode_exactly, render_verdict
from repro.verify.model import Verdict
from repro.words import count

_MARKS: dict[Conclusion, Mark] = {
    Conclusion.NOT_TRIED: "info",
    Conclusion.NOTHING_MOVED: "ok",
    Conclusion.NOT_COMPARABLE: "bad",
    Conclusion.NONDETERMINISTIC: "bad",
    Conclusion.CAUSAL: "ok",
    Conclusion.UNEXPLAINED: "warn",
}
_RESULTS: dict[Result, tuple[Mark, str]] = {
    "causal": ("ok", "causal: moves it both ways, twice each"),
    "one-way": ("warn", "gives the laptop's value, but set back it doesn't give this machine's: no proof"),
    "unsteady": ("warn", "gave the laptop's value once, not twice: no proof"),
    "no-flip": ("info", "doesn't give the laptop's value"),
}
_SHORT = 19
"""Characters of a digest that people see: `sha256:` and twelve."""


def explanation_text(found: Explanation, style: Style) -> str:
    """The whole explanation; its last line says how it ended."""
    verdict = found.verdict
    compared = [one for one in verdict.metrics if not one.passed] or list(verdict.metrics)
    sections = [
        style.fields(_head(found)),
        metrics_table(compared, style) if compared else [],
        cause_lines(verdict.causes, style) if found.conclusion is not Conclusion.CAUSAL else [],
        [line for trial in found.trials for line in _trial(trial, found.metrics, style)],
        list(_left_out(found, style)),
        style.wrap(found.fix, f"{style.arrow} ") if found.fix else [],
        style.wrap(found.reason, f"{style.mark(_MARKS[found.conclusion])} ", lead=2),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def explanation_json(found: Explanation) -> bytes:
    """`repro.explanation/1`."""
    return document(
        "repro.explanation/1",
        {
            "conclusion": str(found.conclusion),
            "exit_code": int(found.exit_code),
            "reason": found.reason,
            "fix": found.fix,
            "runs": found.runs,
            "metrics": found.metrics,
            "trials": [_trial_data(trial) for trial in found.trials],
            "left_out": found.left_out,
            "verdict": _verdict(found.verdict),
        },
    )


def _head(found: Explanation) -> Iterator[tuple[str, str]]:
    verdict = found.verdict
    if verdict.image:
        yield "image", f"{verdict.image.reference}, {verdict.image.id[:_SHORT]}"
    if verdict.lock:
        yield "lock", f"{verdict.lock.digest[:_SHORT]}, {verdict.lock.subject}"
    if found.runs:
        yield "runs", f"{found.runs} of the image, {count(len(found.trials), 'factor')} swapped"
    yield "verdict", f"{verdict.outcome}, {verdict.created}"
    yield "evidence", verdict.evidence or ""


def _trial(trial: Trial, metrics: tuple[str, ...], style: Style) -> Iterator[str]:
    mark, words = _RESULTS[trial.result]
    yield from style.wrap(f"{trial.title}: {words}", f"{style.mark(mark)} ", lead=2)
    tried = "" if trial.known else ", which is only tried"
    yield from style.wrap(
        f"as on the laptop ({trial.laptop}{tried}): {_series(trial.forward, metrics)}", "    ", " " * 6
    )
    if trial.back:
        yield from style.wrap(f"set back ({trial.here}): {_series(trial.back, metrics)}", "    ", " " * 6)


def _series(runs: tuple[TrialRun, ...], metrics: tuple[str, ...]) -> str:
    """Values of each metric in every run, or why a run failed."""
    failures = [run.failure for run in runs if run.failure]
    if failures:
        return f"it failed: {failures[0]}"
    values = {name: ", ".join(value_text(run.values[place]) for run in runs) for place, name in enumerate(metrics)}
    return "; ".join(f"{name} {text}" for name, text in values.items())


def _left_out(found: Explanation, style: Style) -> Iterator[str]:
    if found.left_out:
        yield "not swapped:"
        yield from style.fields([(one.title, one.reason) for one in found.left_out], indent=4)


def _trial_data(trial: Trial) -> dict[str, Any]:
    return {
        "factor": trial.factor,
        "title": trial.title,
        "laptop": trial.laptop,
        "here": trial.here,
        "known": trial.known,
        "result": trial.result,
        "forward": [_run_data(run) for run in trial.forward],
        "back": [_run_data(run) for run in trial.back],
        "fix": trial.fix,
    }


def _run_data(run: TrialRun) -> dict[str, Any]:
    return {"values": [encode_exactly(value) for value in run.values], "failure": run.failure}


def _verdict(verdict: Verdict) -> Any:
    return json.loads(render_verdict(verdict))
