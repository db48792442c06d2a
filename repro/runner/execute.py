"""One evaluation from start to record. The same on the laptop and in the image."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Callable

from .cells import CellClock
from .documents import Evaluation, Failure, RunRecord
from .events import Event, ignore
from .experiment import Experiment
from .found import Collected, left_out
from .limits import Limits
from .machine import ask_interpreter, describe_machine
from .metrics import run_metrics
from .metrics_places import marks
from .metrics_printed import Printed, printed_cells, printed_script
from .notebook import NotebookRun, run_notebook
from .observed import FILE as OBSERVED
from .observed import observe
from .output import keep
from .outputs import keep_outputs
from .script import LOG_FILE, run_script
from .stops import end_strays
from .surroundings import Job, plain_environment, surroundings
from .trace import read_choices, read_libraries

RECORD = "record.json"
TRACE = "repro-trace"


def execute(
    evaluation: Evaluation,
    root: Path,
    out: Path,
    on_event: Callable[[Event], None] | None = None,
    hooks: Sequence[Path] = (),
    *,
    experiment: Experiment | None = None,
) -> RunRecord:
    """Run the evaluation's subject and say what came of it.

    Args:
        evaluation: What to run, and under which interpreter.
        root: The project; the subject runs in its own directory below it and may write there.
        out: Where `record.json`, `observed.json`, the trace (`repro-trace/`, see `read_trace`) and, for notebooks,
            `executed.ipynb` and `kernel.log`, for scripts `output.log` go. Made when missing; an earlier run's are
            replaced.
        on_event: Told what happens, from this thread or, for a script's output, from another one.
        hooks: What else runs inside the interpreters (see `surroundings`).
        experiment: What is set otherwise than the evaluation says; the record is marked then.

    A subject that fails is a record with a `failure`, not an exception. KeyboardInterrupt passes through after every
    process was ended; OSError means that `out` or the temporary folder can't be written.
    """
    root, out = root.resolve(), out.resolve()
    if experiment is not None:
        evaluation, hooks = experiment.applied(evaluation, root), (*hooks, *experiment.hooks)
    trace = _clean(out)
    limits = Limits.begin(evaluation.timeout, evaluation.cell_timeout)
    before = marks(root, evaluation.metrics_files)
    clock = CellClock()
    with surroundings(evaluation, root, trace, hooks) as place:
        job = Job(evaluation, root / evaluation.path, place, limits, out, clock.before(on_event or ignore))
        try:
            run = _run(job)
        finally:
            strays = end_strays(f"REPRO_TRACE={trace}")
    run.found.warnings += strays
    seconds = time.monotonic() - limits.started
    keep(out / OBSERVED, observe(trace, clock.spans, root).to_json(), failed=run.failure is not None)
    if run.failure is None:
        collected = run_metrics(
            root, evaluation.metrics_files, before, run.found, run.notebook, printed=lambda: _printed(job, run)
        )
        wanted = (one for one in collected.metrics if not left_out(one.name, evaluation.metrics_exclude))
        collected = replace(collected, metrics=tuple(wanted))
    else:
        collected = Collected((), tuple(run.found.warnings), run.failure)
    record = _with_choices(describe(evaluation, root, collected), trace)
    record = replace(record, cells=tuple(run.cells), seconds=seconds)
    if record.failure is None and evaluation.outputs:
        record = replace(record, outputs=keep_outputs(root, out, evaluation.outputs))
    record = replace(record, experiment=None if experiment is None else asdict(experiment))
    keep(out / RECORD, record.to_json(), failed=record.failure is not None)
    return record


def _run(job: Job) -> NotebookRun:
    if not job.subject.is_file():
        return NotebookRun(failure=Failure("start", f"there is no file {job.evaluation.path}"))
    return run_notebook(job) if job.evaluation.kind == "notebook" else run_script(job)


def _with_choices(record: RunRecord, trace: Path) -> RunRecord:
    """The record with the libraries that computed, and what numerical packages chose for this CPU."""
    return replace(record, libraries=read_libraries(trace), settings={**record.settings, **read_choices(trace)})


def describe(evaluation: Evaluation, root: Path, collected: Collected) -> RunRecord:
    """A record of these metrics with the interpreter and machine that they come from."""
    directory = (root / evaluation.path).parent
    directory = directory if directory.is_dir() else Path.cwd()
    interpreter = ask_interpreter(evaluation.python, plain_environment(evaluation), directory)
    warnings = collected.warnings
    if interpreter.version and interpreter.version != evaluation.python_version:
        warnings += (f"Python {interpreter.version} ran this; the evaluation expects {evaluation.python_version}",)
    return RunRecord(
        lock_digest=evaluation.lock_digest,
        failure=collected.failure,
        metrics=collected.metrics,
        warnings=warnings,
        python_version=interpreter.version,
        python_executable=interpreter.executable,
        packages=dict(interpreter.packages or {}),
        conda=dict(interpreter.conda or {}),
        brought=dict(interpreter.brought or {}),
        machine=describe_machine(),
        settings=dict(interpreter.settings or {}),
    )


def _printed(job: Job, run: NotebookRun) -> Iterable[Printed]:
    """What the cells, or the script, printed."""
    return [printed_script(job.out / LOG_FILE, job.subject)] if run.notebook is None else printed_cells(run.notebook)


def _clean(out: Path) -> Path:
    """Make `out` and an empty trace folder in it."""
    trace = out / TRACE
    out.mkdir(parents=True, exist_ok=True)
    if trace.exists():
        shutil.rmtree(trace)
    trace.mkdir()
    return trace
