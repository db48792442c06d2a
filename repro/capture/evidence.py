"""Rerunning the subject and gathering what it used: metrics, files, outputs. Or, without a run, what is stored."""

import functools
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.capture.conda.strays import stray_warnings
from repro.capture.copies import misplaced_imports
from repro.capture.failures import failure_error
from repro.capture.inputs import InputReport, collect_inputs
from repro.capture.machine import machine_of
from repro.capture.metric_places import lasting_folders, lasting_modules, lasting_outputs, tracker_files
from repro.capture.model import Interpreter
from repro.capture.modules import beside_packages, editable_sources, imported_modules
from repro.capture.mounts import mark_mounted, mount_warnings
from repro.capture.outside import Outside
from repro.capture.ownership import check_imports
from repro.capture.project import Project
from repro.capture.runs.model import Repeats
from repro.capture.snapshot import Snapshot, take_snapshot
from repro.capture.static_inputs import static_inputs
from repro.capture.tracing.file_evidence import FileEvidence
from repro.capture.tracing.seen import WatchedFiles
from repro.capture.tracing.watching import run_watched
from repro.errors import CaptureError
from repro.files import disk_errors
from repro.lock import LockedFile, Machine
from repro.progress import Progress, Task
from repro.runner.documents import Evaluation, MeasuredMetric, RunRecord
from repro.runner.events import CELL_FINISHED, CELL_STARTED, OUTPUT, Event
from repro.runner.execute import execute
from repro.runner.metrics import stored_metrics
from repro.runner.observed import Observed
from repro.runner.trace import Trace
from repro.store.hashing import hash_files
from repro.store.stat_cache import open_stat_cache


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the lock needs to know of a run.

    Attributes:
        metrics: As reported, in order.
        files: Project files that were read, by role and sha256.
        outputs: Project-relative paths that the run wrote.
        directories: Project-relative folders without locked files that it listed or entered.
        warnings: For the author.
        modules: Modules that the run imported, by package (`repro.capture.modules`); none where nothing was run.
        editable: Project files that packages in editable mode were imported from; the lock has them as wheels.
        machine: What it ran on; None where nothing was run.
        observed: What else it depended on, by place and cell; nothing where nothing was run.
        repeats: How further runs differ from it; None without any.
    """

    metrics: tuple[MeasuredMetric, ...]
    files: tuple[LockedFile, ...]
    outputs: tuple[str, ...]
    warnings: tuple[str, ...]
    modules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    machine: Machine | None = None
    observed: Observed = field(default_factory=Observed)
    repeats: Repeats | None = None
    editable: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


def gather(
    project: Project,
    interpreter: Interpreter,
    evaluation: Evaluation,
    out: Path,
    *,
    published: Collection[str],
    packed: bool,
    progress: Progress,
) -> Evidence:
    """Run the subject in place and see what it used.

    Args:
        project: What is captured.
        interpreter: Its environment, whose own files never count.
        evaluation: How to run it.
        out: Where the run leaves its record, the trace and the executed notebook.
        published: Names of the packages that are locked as files of an index.
        packed: Whether the interpreter goes into the image, so that its standard library counts as imported, too.
        progress: Gets a line for each cell.

    Raises:
        EvaluationError: The subject failed; the error quotes the cell.
        CaptureError: A file that it used can't be locked, or its metrics can't be read.
    """
    outside = Outside(interpreter, [out])
    seen = run_watched(
        lambda hooks: run_evaluation(evaluation, project.root, out, progress, hooks=hooks),
        subject_sources(project),
        root=project.root,
        workdir=project.subject.parent,
        out=out,
        outside=outside,
        environ={**os.environ, **evaluation.environment},
        interpreter=interpreter,
    )
    record, trace, files = seen.record, seen.trace, seen.files
    _check_imports(trace, interpreter, published, project)
    report = _inputs(_without_trackers(project, files.before, files.after), files, outside, progress)
    if report.only_watched:
        names = ", ".join(report.only_watched)
        progress.note(f"Opened by compiled code, or by another program meanwhile, and locked: {names}")
    strays = stray_warnings(interpreter, trace.reads, scripted=bool(project.config.conda.run_scripts))
    trees = beside_packages(trace, interpreter, project.root)
    warnings = (*record.warnings, *report.warnings, *strays, *trees)
    modules = lasting_modules(imported_modules(trace, interpreter, library=packed))
    return Evidence(
        record.metrics,
        report.files,
        lasting_outputs(report.outputs),
        warnings,
        modules,
        machine_of(record),
        seen.observed,
        editable=editable_sources(trace, interpreter, project.root),
        directories=lasting_folders(report.directories),
    )


def gather_stored(project: Project, interpreter: Interpreter, progress: Progress) -> Evidence:
    """What earlier runs left, without running anything: stored outputs, and files that the source names.

    Raises:
        CaptureError: A file can't be locked, or the stored metrics can't be read.
    """
    collected = stored_metrics(project.notebook, project.root, project.metrics_files)
    if collected.failure is not None:
        raise failure_error(collected.failure, project.path, project.root)
    now = take_snapshot(project.root)
    trace = static_inputs(subject_sources(project), project.root, project.subject.parent)
    report = _inputs(project, FileEvidence(trace, WatchedFiles(), now, now), Outside(interpreter), progress)
    warning = "nothing was run: the metrics are stored ones, the files are those that the source names"
    outputs = [path for path in (project.root / metric.source for metric in collected.metrics) if path.is_file()]
    written = {path.relative_to(project.root).as_posix() for path in outputs}
    return Evidence(
        metrics=collected.metrics,
        files=tuple(file for file in report.files if file.path not in written),
        outputs=tuple(sorted(written.union(report.outputs))),
        warnings=(warning, *collected.warnings, *report.warnings),
    )


def subject_sources(project: Project) -> list[str]:
    """The text of each code cell, or of the script."""
    if project.notebook is None:
        return [project.subject.read_text(encoding="utf-8", errors="replace")]
    return [cell.source for cell in project.notebook.cells if cell.cell_type == "code"]


def _without_trackers(project: Project, before: Snapshot, after: Snapshot) -> Project:
    """The project with rules that leave out what trackers of experiments keep for themselves."""
    rules = project.config.files
    rules = replace(rules, exclude=(*rules.exclude, *tracker_files(before, after)))
    return replace(project, config=replace(project.config, files=rules))


def _check_imports(trace: Trace, interpreter: Interpreter, published: Collection[str], project: Project) -> None:
    loose = check_imports(trace.modules, interpreter, published, project.config.allow_loose)
    problems = loose + misplaced_imports(trace.modules, interpreter)
    if problems:
        raise CaptureError(
            "modules that the run imported would not be the same in the image",
            where=project.path,
            problems=problems,
            fix="Follow the cure given with each, then capture again.",
        )


def _inputs(project: Project, evidence: FileEvidence, outside: Outside, progress: Progress) -> InputReport:
    rules, cache = project.config.files, open_stat_cache(project.root)
    report = collect_inputs(
        project.root,
        project.path,
        evidence,
        rules=rules,
        outside=outside,
        hash_all=functools.partial(hash_files, cache=cache, progress=progress, title="Hashing what the run used"),
    )
    cache.save()
    if report.problems:
        raise CaptureError(
            "files that the run used can't be locked",
            where=project.path,
            problems=report.problems,
            fix="Follow the cure given with each, then capture again.",
        )
    files = mark_mounted(report.files, rules.mount)
    return replace(report, files=files, warnings=(*report.warnings, *mount_warnings(files, rules.mount)))


def run_evaluation(
    evaluation: Evaluation,
    root: Path,
    out: Path,
    progress: Progress,
    *,
    hooks: Sequence[Path] = (),
) -> RunRecord:
    """Execute the subject in place with a line of progress for each cell.

    Raises:
        EvaluationError: It failed; the error quotes the cell. Its subclasses tell memory and time.
        CaptureError: Its metrics can't be read.
        InfrastructureError: What it leaves can't be written.
    """
    display = _CellDisplay(progress, evaluation)
    with disk_errors(out):
        record = execute(evaluation, root, out, display.show, hooks)
    display.finish("stopped" if record.failure else "")
    if record.failure is not None:
        raise failure_error(record.failure, evaluation.path, root)
    return record


class _CellDisplay:
    """Turns the runner's events into progress."""

    def __init__(self, progress: Progress, evaluation: Evaluation) -> None:
        self._progress = progress
        self._path = evaluation.path
        self._task: Task | None = None
        self._handlers: dict[str, Callable[[Event], None]] = {
            CELL_STARTED: self._started,
            CELL_FINISHED: self._finished,
            OUTPUT: lambda event: progress.note(f"  {event.title}"),
        }

    def show(self, event: Event) -> None:
        handler = self._handlers.get(event.kind)
        if handler:
            handler(event)

    def finish(self, summary: str) -> None:
        if self._task:
            self._task.finish(summary)

    def _started(self, event: Event) -> None:
        self._task = self._task or self._progress.start(f"Running {self._path}", event.total, "cells")
        self._task.advance(0, event.title)

    def _finished(self, event: Event) -> None:
        if self._task:
            self._task.advance(1)
        self._progress.note(f"  [{event.number}/{event.total}] {event.title}  {event.seconds:.1f} s")
