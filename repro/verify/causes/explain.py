"""A verdict with its causes, and with the first place that shows something else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from repro.engines.model import Engine, ImageInfo, RunOutcome
from repro.lock import Lock
from repro.verify.causes.gather import gather
from repro.verify.causes.rank import explain
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import cell
from repro.verify.model import Finding, Outcome, Verdict

_NOTHING_TO_EXPLAIN = {Outcome.VERIFIED, Outcome.INFRASTRUCTURE_FAILED}


def explained(
    verdict: Verdict, lock: Lock, *, image: ImageInfo, engine: Engine, run: RunOutcome | None, project: Path | None
) -> Verdict:
    """The verdict with what may be the causes; as it is where nothing moved and nothing failed (see `gather`)."""
    if verdict.outcome in _NOTHING_TO_EXPLAIN:
        return verdict
    situation = gather(verdict, lock, image=image, engine=engine, run=run, project=project)
    findings = (*verdict.findings, *_shown(situation))
    causes = explain(situation)
    if run is None:  # what a run may do otherwise explains nothing where there was none
        causes = tuple(cause for cause in causes if cause.confidence == "certain")
    return replace(verdict, causes=causes, findings=findings)


def _shown(situation: Situation) -> Iterator[Finding]:
    first = situation.first
    if first is not None:
        side = "laptop" if situation.laptop.notebook or situation.laptop.printed else "stored"
        place = cell(first.cell) or "what the script printed"
        title = f" ({first.title})" if first.title else ""
        line = f"line {first.line} of " if first.line else ""
        yield Finding(
            "first-difference",
            "info",
            f"the first output that differs is that of {place}{title}: {line}its {first.kind}"
            if first.cell
            else f"the first output that differs is line {first.line} of {place}",
            (f"{side}: {first.baseline}", f"here:   {first.other}"),
        )
