"""What a failed run is told as: the cell or script quoted, and what to do about it."""

import os
import re
from pathlib import Path, PurePosixPath

from repro.errors import CaptureError, EvaluationError, OutOfMemoryError, TimedOutError
from repro.runner.documents import Failure
from repro.runner.stops import FULL_DISK

_LINES = 30
_NO_PACKAGE = "attempted relative import with no known parent package"
_MISSING = re.compile(
    r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<path>[^'\0]+)'"
    r"|ModuleNotFoundError: No module named '(?P<module>[\w.]+)'"
)
_METRICS_CURE = (
    "A metric is a number, a truth value or a text, with one value in one run: convert what isn't, and report each "
    "name from one place (docs/how-to/metrics.md). Then capture again."
)
_FAILURES: dict[str, tuple[type[EvaluationError], str | None]] = {
    "cell": (EvaluationError, "Make it run from top to bottom in a fresh kernel, then capture again."),
    "memory": (OutOfMemoryError, "Give the evaluation more memory, or let it use less."),
    "died": (EvaluationError, "Make it run to its end by itself, without repro, then capture again."),
    "timeout": (TimedOutError, "Raise --timeout or --cell-timeout, or make the evaluation quicker."),
}


def failure_error(failure: Failure, subject: str, root: Path) -> EvaluationError | CaptureError:
    """The error that a runner's failure is, with the cell quoted.

    Args:
        failure: As the runner tells it.
        subject: The notebook or script, relative to the root.
        root: Project root, where a missing file or module may lie instead.
    """
    where = subject if failure.cell is None else f"{subject}, cell {failure.cell}"
    details = "\n\n".join(part for part in (_tail(failure.source), _tail(failure.traceback)) if part)
    if failure.kind == "metrics":
        what = "the metrics can't be taken as they are"
        return CaptureError(what, where=subject, problems=failure.problems, details=details, fix=_METRICS_CURE)
    kind, fix = _FAILURES.get(failure.kind, (EvaluationError, None))
    if failure.kind == "cell" and failure.cell is None:
        fix = "Make the script run by itself, then capture again; its arguments follow `--`, or [run] args."
    if failure.kind == "cell":
        fix = _as_module(subject, failure) or _in_the_root(subject, failure, root) or _not_installed(failure) or fix
    if failure.message.endswith(FULL_DISK):
        fix = "Free space on the disk that it writes to, then capture again; TMPDIR names another for temporary files."
    return kind(failure.message, where=where, problems=failure.problems, details=details, fix=fix)


def _as_module(subject: str, failure: Failure) -> str | None:
    """What to do about a script that only `python -m` runs."""
    if _NO_PACKAGE not in failure.message or failure.cell is not None:
        return None
    path = PurePosixPath(subject).with_suffix("")
    name = ".".join((path.parent if path.name == "__main__" else path).parts).removeprefix("src.") or "PACKAGE"
    return (
        "It is a module of a package, which `python -m` runs. Capture a small script that does the same, in the folder "
        f'that has the package: `import runpy; runpy.run_module("{name}", run_name="__main__", alter_sys=True)`.'
    )


def _not_installed(failure: Failure) -> str | None:
    """What to do about a module that is nowhere."""
    found = _MISSING.search(failure.message)
    if found is None or not found["module"]:
        return None
    return (
        f"Install what brings {found['module'].partition('.')[0]} in the environment that ran it, or name another one "
        "with --python PATH; then capture again."
    )


def _in_the_root(subject: str, failure: Failure, root: Path) -> str | None:
    """What to do about a subject in a subfolder that is meant to run in the project's root."""
    folder, found = PurePosixPath(subject).parent, _MISSING.search(failure.message)
    if found is None or folder == PurePosixPath():
        return None
    path, module = found["path"], found["module"]
    places = [module.replace(".", "/"), f"{module.replace('.', '/')}.py"] if module else _with_parent(path)
    here = next((one for one in places if (root / one).exists() and not (root / folder / one).exists()), None)
    if here is None:
        return None
    told = f"It runs in its own folder, {folder}/, and {here} is in the project's root"
    if failure.cell is not None:
        return f"{told}: begin the notebook with `%cd {os.path.relpath(root, root / folder)}`, then capture again."
    return (
        f"{told}. Capture a small script there that runs it: `import runpy, sys; "
        f'sys.path.insert(1, "{folder}"); runpy.run_path("{subject}", run_name="__main__")`.'
    )


def _with_parent(path: str) -> list[str]:
    """A relative path, and the folder that it would be written to."""
    pure = PurePosixPath(path)
    return [] if pure.is_absolute() else [one for one in (path, str(pure.parent)) if PurePosixPath(one).parts]


def _tail(text: str) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(["…", *lines[-_LINES:]] if len(lines) > _LINES else lines)
