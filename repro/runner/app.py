"""The program in the image: checks what is baked in, evaluates it, compares, reports, and exits with the outcome."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from . import exitcodes
from .compare import Comparison, compare
from .documents import Evaluation, Failure, RunRecord
from .execute import RECORD, describe, execute
from .experiment import Experiment
from .found import Collected
from .gates import GateResult, judge_gates
from .output import atomic_write
from .report import Progress, failure_text, notes, table, verdict
from .staging import MOUNTED, stage

_NO_VERDICT = "EXPERIMENT: something was set otherwise than the lock says, so nothing is verified"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the image's evaluation and return its exit code (see `exitcodes`)."""
    options = _parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # the locale of a container is often C
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    signal.signal(signal.SIGTERM, _like_ctrl_c)
    try:
        with _writable_home():
            return _evaluate(options)
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was judged", flush=True)
        return exitcodes.INTERRUPTED
    except (OSError, ValueError) as error:
        print(f"the evaluation can't be set up: {error}", file=sys.stderr, flush=True)
        return exitcodes.INFRASTRUCTURE
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which says that a metric moved
        message = " ".join(str(error).split())
        print(f"the runner failed: {type(error).__name__}: {message}", file=sys.stderr, flush=True)
        return exitcodes.INFRASTRUCTURE


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="repro-runner",
        description="Re-evaluate what this image was built from and compare it with the metrics baked in.",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/opt/repro"), help="where evaluation.json and repro.lock are"
    )
    parser.add_argument("--project", type=Path, default=Path("/opt/project"), help="the locked project files")
    parser.add_argument("--mounted", type=Path, default=MOUNTED, help="project files that are not in the image")
    parser.add_argument("--work", type=Path, default=Path("/work"), help="where a writable copy of them is laid out")
    parser.add_argument("--out", type=Path, default=Path("/out"), help="where the record and the executed notebook go")
    parser.add_argument("--json", action="store_true", help="print the record as the last line")
    parser.add_argument("--experiment", metavar="JSON", help="set something otherwise than the lock; verifies nothing")
    return parser.parse_args(arguments)


def _evaluate(options: argparse.Namespace) -> int:
    experiment = None if options.experiment is None else Experiment.from_json(options.experiment)
    evaluation = Evaluation.from_json((options.root / "evaluation.json").read_bytes())
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"{evaluation.path} from lock {evaluation.lock_digest}", flush=True)
    failure = check_lock(evaluation, options.root / "repro.lock") or stage(
        evaluation, options.project, options.work, options.mounted
    )
    if failure is None:
        progress = Progress(sys.stdout)
        try:
            record = execute(evaluation, options.work, options.out, progress, experiment=experiment)
        finally:
            progress.finish()
    else:
        record = describe(evaluation, options.work, Collected(failure=failure))
        atomic_write(options.out / RECORD, record.to_json())
    comparisons = [] if record.failure else compare(evaluation.metrics, record.metrics)
    gates = [] if record.failure else judge_gates(evaluation.metrics, record.metrics)
    code = exitcodes.exit_code(record.failure, comparisons, gates)
    if experiment is not None:
        code = code if record.failure else exitcodes.NOT_COMPARABLE
    _report(record, comparisons, gates, code)
    if options.json:
        print(record.to_json().decode("ascii"), end="", flush=True)
    return code


def check_lock(evaluation: Evaluation, lock: Path) -> Failure | None:
    """A "tampered" failure unless `lock` has the digest that the evaluation was made from."""
    try:
        found = "sha256:" + hashlib.sha256(lock.read_bytes()).hexdigest()
    except FileNotFoundError:
        found = "no such file"
    if found == evaluation.lock_digest:
        return None
    problem = f"{lock.name}: expected {evaluation.lock_digest}, found {found}"
    return Failure("tampered", "the lock in the image is not the one it was built from", problems=(problem,))


def _report(record: RunRecord, comparisons: Sequence[Comparison], gates: Sequence[GateResult], code: int) -> None:
    for warning in record.warnings:
        print(f"warning: {warning}")
    print()
    if record.failure is not None:
        print(failure_text(record.failure))
    elif comparisons:
        print(table(comparisons))
        print(notes(comparisons, gates), end="")
    if record.outputs:
        print(f"outputs, not judged here: {len(record.outputs)}; `repro verify` compares them")
    print()
    experiment = record.experiment is not None and record.failure is None
    print(_NO_VERDICT if experiment else verdict(record, comparisons, gates, code), flush=True)


def _like_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    """`docker stop` and Kubernetes say SIGTERM; whoever runs must clean up the same way."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def _writable_home() -> Iterator[None]:
    """A home for user ids that have none: caches and settings of Jupyter, Matplotlib and others go there."""
    os.environ.setdefault("LOGNAME", "user")  # getpass.getuser() fails for ids that no passwd entry names
    home = os.environ.get("HOME", "")
    if home and os.access(home, os.W_OK | os.X_OK):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        os.environ["HOME"] = folder
        yield
