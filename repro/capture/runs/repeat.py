"""Runs the subject again and again from the same files, and compares what comes of it with the first run."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repro.capture.evidence import Evidence, run_evaluation
from repro.capture.findings import Source, find, notebook_source, script_source
from repro.capture.metric_places import lasting_outputs, tracker_files
from repro.capture.project import Project
from repro.capture.roles import matches
from repro.capture.runs.causes import likely_causes
from repro.capture.runs.model import Repeats, spreads
from repro.capture.runs.state import ProjectState, changed_files, kept_state
from repro.capture.snapshot import take_snapshot
from repro.digest import Digest
from repro.errors import CaptureError, EvaluationError
from repro.outputs.compare import OutputDifference, output_differences, text_difference
from repro.progress import Progress
from repro.runner.documents import Evaluation, MeasuredMetric
from repro.runner.notebook import EXECUTED
from repro.runner.script import LOG_FILE


@dataclass(frozen=True, slots=True)
class _Ended:
    """What one run left: metrics, the hash of each file that it wrote, and why it failed."""

    out: Path
    metrics: tuple[MeasuredMetric, ...]
    files: Mapping[str, Digest]
    failure: str = ""


@contextlib.contextmanager
def reruns(
    project: Project, evaluation: Evaluation, out: Path, *, runs: int, progress: Progress
) -> Iterator[Callable[[Evidence], Repeats | None]]:
    """Keeps the project's files while its block makes the first run; what it gives makes the others (see `repeat`).

    With one run it does nothing. In the end the project is as the first run left it.
    """
    if runs < 2:  # noqa: PLR2004 - one run is the usual capture
        yield lambda _: None
        return
    with kept_state(project.root, out / "before") as state:
        yield lambda evidence: repeat(project, evaluation, evidence, out, state, runs=runs, progress=progress)


def repeat(
    project: Project,
    evaluation: Evaluation,
    evidence: Evidence,
    out: Path,
    state: ProjectState,
    *,
    runs: int,
    progress: Progress,
) -> Repeats:
    """Run the subject as often as is left to do, each time from the files that the first run found.

    Args:
        project: What is captured.
        evaluation: How the first run ran.
        evidence: What the first run used and reported.
        out: What the first run left; the others get folders in it.
        state: Puts the project's files back.
        runs: How many runs there are in all, the first one included.
        progress: Gets a line for each run and each cell.

    Later runs that fail are told, not raised.
    """
    state.first_run_ended()
    ended = [_Ended(out, evidence.metrics, _written(project, state))]
    for number in range(2, runs + 1):
        progress.note(f"Run {number} of {runs}, from the files that the first one found")
        state.restore()
        ended.append(_run(project, evaluation, out / f"run-{number}", state, progress))
    repeats = _compared(project, ended, tuple(sorted(state.lost)))
    if repeats.same:
        return repeats
    causes = likely_causes(repeats, evidence.observed, find(_source(project)))
    return replace(repeats, causes=causes)


def _run(project: Project, evaluation: Evaluation, out: Path, state: ProjectState, progress: Progress) -> _Ended:
    try:
        record = run_evaluation(evaluation, project.root, out, progress)
    except (EvaluationError, CaptureError) as error:
        return _Ended(out, (), {}, f"{error.where}: {error.what}" if error.where else error.what)
    return _Ended(out, record.metrics, _written(project, state))


def _written(project: Project, state: ProjectState) -> dict[str, Digest]:
    """The hash of each file that a run wrote and that counts: what trackers keep for themselves does not."""
    before, now = state.before, take_snapshot(project.root)
    exclude = (*project.config.files.exclude, *tracker_files(before, now))
    written = lasting_outputs(changed_files(before, now))
    return {path: Digest.of_file(project.root / path) for path in written if not matches(path, exclude)}


def _compared(project: Project, ended: Sequence[_Ended], lost: tuple[str, ...]) -> Repeats:
    first, *others = ended
    whole = [one for one in others if not one.failure]
    cells: dict[int | None, OutputDifference] = {}
    for one in whole:
        for difference in _differences(project, first.out, one.out):
            cells.setdefault(difference.cell, difference)
    files = {path for one in whole for path in first.files.keys() | one.files.keys()
             if first.files.get(path) != one.files.get(path)}  # fmt: skip
    return Repeats(
        runs=len(ended),
        metrics=spreads([first.metrics, *(one.metrics for one in whole)]),
        cell=cells[min(cells, key=lambda number: number or 0)] if cells else None,
        cells=len(cells),
        files=tuple(sorted(files)),
        failures=tuple(f"run {number}: {one.failure}" for number, one in enumerate(ended, 1) if one.failure),
        kept_changes=lost,
    )


def _differences(project: Project, first: Path, other: Path) -> Iterator[OutputDifference]:
    if project.notebook is not None:
        yield from output_differences(_notebook(first), _notebook(other))
        return
    texts = ((place / LOG_FILE).read_text("utf-8", errors="replace") for place in (first, other))
    found = text_difference(*texts)
    if found is not None:
        yield found


def _notebook(place: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads((place / EXECUTED).read_bytes())
    return notebook


def _source(project: Project) -> Source:
    if project.notebook is not None:
        return notebook_source(project.path, project.notebook)
    return script_source(project.path, project.subject.read_text("utf-8", errors="replace"))
