"""The environment that an evaluation's processes get, with the trace hooked in, and the private folder behind it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .documents import Evaluation
from .events import Event
from .limits import Limits

_HOOK = Path(__file__).parent / "hook"
_HOOK_FILES = (
    "sitecustomize.py",
    "repro_hook.py",
    "repro_observe.py",
    "repro_shell.py",
    "repro_values.py",
    "repro_libraries.py",
)

# Another Jupyter's session, start-up files that no lock knows, and what macOS tells a framework build about itself.
_DROPPED = frozenset({"PYTHONSTARTUP", "__PYVENV_LAUNCHER__", "PYTHONEXECUTABLE", "PYDEVD_USE_FRAME_EVAL"})
_DROPPED_PREFIXES = ("REPRO_", "JPY_")

_LONGEST_SOCKET_FOLDER = 70  # sun_path holds 108 bytes on Linux, 104 on macOS, and Jupyter adds some


@dataclass(frozen=True)
class Surroundings:
    """Where and how the evaluation's processes run.

    Attributes:
        directory: Their working directory.
        private: A folder of this run's own with a short path, removed afterwards.
        variables: Their whole environment.
    """

    directory: Path
    private: Path
    variables: dict[str, str]


@dataclass(frozen=True)
class Job:
    """One evaluation on its way.

    Attributes:
        evaluation: What runs.
        subject: The notebook or script, absolute.
        place: Where and how.
        limits: Until when.
        out: Where logs and the executed notebook go.
        tell: Receives events.
    """

    evaluation: Evaluation
    subject: Path
    place: Surroundings
    limits: Limits
    out: Path
    tell: Callable[[Event], None]


@contextlib.contextmanager
def surroundings(evaluation: Evaluation, root: Path, trace: Path, hooks: Sequence[Path] = ()) -> Iterator[Surroundings]:
    """Prepare the environment and the private folder for one evaluation; `trace` is where its trace goes.

    `hooks` are more files for the hook's folder: readers, which only a capture has, shims of experiments, and bytecode
    (`.pyc`), which may be there for any of the hook's files and for any interpreter.
    """
    private = Path(tempfile.mkdtemp(prefix="repro-", dir=_short_folder()))
    try:
        hook = private / "hook"
        (hook / "__pycache__").mkdir(parents=True)
        for name, file in {**hook_sources(), **{file.name: file for file in hooks}}.items():
            shutil.copyfile(file, (hook / "__pycache__" if file.suffix == ".pyc" else hook) / name)
        variables = plain_environment(evaluation)
        inherited = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join([str(hook), *([inherited] if inherited else [])])
        variables["REPRO_TRACE"] = str(trace)
        variables["PYTHONDONTWRITEBYTECODE"] = "1"  # the environment and the project stay as they are
        # A person's IPython profile may import or configure anything; the image has none, so nobody has.
        if "IPYTHONDIR" not in evaluation.environment:
            variables["IPYTHONDIR"] = str(private / "ipython")
        yield Surroundings((root / evaluation.path).parent, private, variables)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def hook_sources() -> dict[str, Path]:
    """The source files of the hook's folder by their names there.

    `repro_threadpoolctl.py`, which repro_libraries asks, is the runner's own, since the environment may have none.
    """
    sources = {name: _HOOK / name for name in _HOOK_FILES}
    found = importlib.util.find_spec("threadpoolctl")
    if found is not None and found.origin is not None:
        sources["repro_threadpoolctl.py"] = Path(found.origin)
    return sources


def plain_environment(evaluation: Evaluation) -> dict[str, str]:
    """What this process inherited, without what concerns only the runner, and the evaluation's own variables on top."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    return {**inherited, **evaluation.environment}


def _short_folder() -> str | None:
    """The temporary folder if Unix sockets fit below it, else /tmp."""
    usual = tempfile.gettempdir()
    fits = len(os.fsencode(usual)) <= _LONGEST_SOCKET_FOLDER
    return None if fits or not os.access("/tmp", os.W_OK) else "/tmp"  # noqa: S108 - mkdtemp makes a private one in it
