"""What is captured: the subject in its project with its settings, and the lock that is already there."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode

from repro.capture.config import Config, load_config, project_root
from repro.capture.metric_places import metric_places
from repro.capture.notebook import has_code, kernel_name, load_notebook
from repro.capture.request import CaptureRequest
from repro.errors import UsageError
from repro.lock import ComparedOutput, CondaPackage, Lock, LockedFile, Package, Subject, parse_lock, read_lock

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Project:
    """A subject and where it lives.

    Attributes:
        root: Project root, absolute, links resolved.
        subject: The notebook or script, absolute.
        kind: Which of the two.
        notebook: Its content when it is a notebook.
        config: Settings with the command line's already applied.
        output: Where the lock goes.
    """

    root: Path
    subject: Path
    kind: Literal["notebook", "script"]
    notebook: NotebookNode | None
    config: Config
    output: Path

    @property
    def path(self) -> str:
        """The subject relative to the root, POSIX."""
        return self.subject.relative_to(self.root).as_posix()

    @property
    def metrics_files(self) -> tuple[str, ...]:
        """Where metrics are looked for: in the places that repro.toml names, else in the usual ones."""
        return metric_places(self.config, self.path)

    def lock_subject(self) -> Subject:
        """How the lock names it."""
        kernel = None if self.notebook is None else kernel_name(self.notebook) or "python3"
        return Subject(self.kind, self.path, kernel, self.config.args)


def open_project(request: CaptureRequest) -> Project:
    """Read the subject and the settings.

    Raises:
        UsageError: The subject is missing or neither notebook nor script, or the settings can't be used.
    """
    given = request.subject
    if given.suffix not in {".ipynb", ".py"}:
        raise UsageError(
            "only notebooks (.ipynb) and Python scripts (.py) can be captured",
            where=str(given),
            fix="Name the notebook or script that evaluates the model.",
        )
    if not given.exists():
        raise UsageError("there is no such file", where=str(given), fix=_others_there(given))
    subject = given.parent.resolve() / given.name
    notebook = load_notebook(subject) if subject.suffix == ".ipynb" else None
    if notebook is not None and not has_code(notebook):
        raise UsageError(
            "the notebook has no code to run",
            where=str(given),
            fix="Name the notebook that evaluates the model; if this is it, save it again in Jupyter.",
        )
    root = request.config.resolve().parent if request.config else project_root(subject)
    if not subject.is_relative_to(root):
        raise UsageError(
            f"the subject lies outside the project {root}",
            where=str(given),
            fix="Name the repro.toml of the project that it belongs to with --config.",
        )
    if notebook is not None and request.args:
        raise UsageError("a notebook takes no arguments", where=str(given), fix="Leave out what follows `--`.")
    if request.runs > 1 and not request.rerun:
        raise UsageError("--runs and --no-run can't go together", where=str(given), fix="Leave one of them out.")
    output = (request.output or root / "repro.lock").absolute()
    if output.parent.resolve() != root:
        raise UsageError(
            "the lock must lie in the project's root, because its paths start there",
            where=str(request.output),
            fix=f"Name a file in {root}, such as {root / output.name}.",
        )
    return Project(
        root=root,
        subject=subject,
        kind="script" if notebook is None else "notebook",
        notebook=notebook,
        config=_with_flags(load_config(root, request.config), request),
        output=output,
    )


def _with_flags(config: Config, request: CaptureRequest) -> Config:
    flags: Mapping[str, Any] = {
        "kernel": request.kernel,
        "timeout": request.timeout,
        "cell_timeout": request.cell_timeout,
        "args": request.args or None,
        "base": request.base,
        "allow_patched": (*config.allow_patched, *request.allow_patched),
        "allow_loose": (*config.allow_loose, *request.allow_loose),
    }
    files = replace(config.files, mount=(*config.files.mount, *request.mount))
    return replace(config, files=files, **{name: value for name, value in flags.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Previous:
    """The lock that a capture will replace, read once: it may be long.

    Attributes:
        data: The whole file; None when there is none.
        lock: What it says.
    """

    data: bytes | None = None
    lock: Lock | None = None

    @property
    def packages(self) -> dict[str, Package]:
        """Its packages by name."""
        return {} if self.lock is None else {package.name: package for package in self.lock.packages}

    @property
    def conda(self) -> tuple[CondaPackage, ...]:
        """Its conda packages."""
        return () if self.lock is None else self.lock.conda

    @property
    def files(self) -> tuple[LockedFile, ...]:
        """Its files."""
        return () if self.lock is None else self.lock.files

    @property
    def outputs(self) -> frozenset[str]:
        """The files that its run wrote."""
        return frozenset() if self.lock is None else frozenset(self.lock.outputs)

    @property
    def compared(self) -> tuple[ComparedOutput, ...]:
        """The outputs that it holds reruns to."""
        return () if self.lock is None else self.lock.compared


def left_over(outputs: Collection[str], files: Iterable[LockedFile]) -> tuple[str, ...]:
    """A warning about files that this run read, and that the run of the lock before had written."""
    found = [file.path for file in files if file.path in outputs]
    if not found:
        return ()
    listed = ", ".join(found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
    cure = "what was fetched is pinned so, but what was computed is not computed again: delete that, and capture again"
    return (f"the run reads what the run of the lock before this one wrote: {listed}; {cure}",)


def previous_lock(project: Project) -> Previous:
    """The lock that this capture will replace.

    Raises:
        IntegrityError: It can't be read; it is never overwritten.
        UsageError: It is the lock of another notebook or script.
    """
    if not project.output.exists():
        return Previous()
    data = read_lock(project.output)
    lock = parse_lock(data, where=str(project.output))
    if lock.subject.path != project.path:
        raise UsageError(
            f"this lock is for {lock.subject.path}, not for {project.path}",
            where=str(project.output),
            fix="Write to another file with --output, or delete this one if it has had its day.",
        )
    return Previous(data, lock)


def _others_there(given: Path) -> str:
    """What a person may have meant who named a file that isn't there."""
    names = sorted(path.name for path in given.parent.glob(f"*{given.suffix}")) if given.parent.is_dir() else []
    near = difflib.get_close_matches(given.name, names, n=1)
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    if near:
        return f"Did you mean {given.parent / near[0]}?"
    return f"There is: {listed}." if names else f"Name a file that is there; {given.parent} has no {given.suffix} file."
