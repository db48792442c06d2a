"""The working tree as one side: the files of its lock hashed now, its settings, and what is installed."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbformat import NotebookNode

from repro.capture.conda.activation import stated_variables
from repro.capture.config import Config, load_config
from repro.capture.data_profiles import profile_data
from repro.capture.machine import machine_of
from repro.capture.notebook import kernel_name, load_notebook
from repro.capture.startup import with_import_path
from repro.capture.surroundings import read_environment
from repro.differ.contents import first_of, in_folder
from repro.differ.hashed import hash_now
from repro.differ.installed import Environment, find_environment, installed_packages
from repro.differ.installed_conda import installed_conda
from repro.differ.model import Side
from repro.differ.settings import Settled, activation_variables, settled
from repro.differ.state import PackageFacts, State
from repro.errors import CaptureError, InfrastructureError, UsageError
from repro.lock import Lock, LockedFile, Profile, Subject
from repro.progress import Progress
from repro.runner.documents import RunRecord
from repro.runner.machine import describe_machine

_UNKNOWN = {
    "values": "values of metrics, because nothing was run",
    "base": "the base image, because nobody is asked what its name leads to now",
    "libraries": "BLAS and OpenMP libraries, because only runs load them",
}
_OF_RUNS = (
    *("runner", "runner's packages", "outputs", "baseline", "modules"),
    *("commit", "branch", "repository", "not committed", "submodules"),
)
"""What a lock says of a run, or of the moment of a capture: nothing to compare with."""
_IMPORTS = "PYTHONPATH"
_MOST = 5


@dataclass(frozen=True, slots=True)
class Tree:
    """What was seen of a working tree.

    Attributes:
        root: Project root.
        own: The lock that says what belongs to it.
        state: It as one side of a comparison.
        config: Its settings.
        settled: What they make of the lock.
        environment: What is installed, or None.
        missing: Locked files that are not here, though they come from elsewhere.
        faults: Files that can't be read, and what is wrong with the subject.
    """

    root: Path
    own: Lock
    state: State
    config: Config
    settled: Settled
    environment: Environment | None
    missing: tuple[LockedFile, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How to look.

    Attributes:
        python: Interpreter whose environment counts; found by itself otherwise.
        config: Settings to read instead of the project's.
        surroundings: Whether this machine and its variables count, rather than what settings say of them.
        environ: The user's variables.
    """

    python: Path | None = None
    config: Path | None = None
    surroundings: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def read_tree(root: Path, lock: Lock, side: Side, options: TreeOptions, progress: Progress) -> Tree:
    """Look at a working tree; nothing is run, and nothing written but the cache of hashes.

    Args:
        root: Project root, absolute, links resolved: where the lock is.
        lock: Says which files belong to it.
        side: How to call it.
        options: How to look.
        progress: Told of long work.

    Raises:
        UsageError: The settings can't be used, or the interpreter that was named.
        InfrastructureError: That interpreter can't be run.
    """
    return _Look(root, lock, load_config(root, options.config), options, progress).tree(side)


@dataclass(frozen=True)
class _Look:
    """One look at a project; what can't be told is noted in `unknown`."""

    root: Path
    own: Lock
    config: Config
    options: TreeOptions
    progress: Progress
    unknown: dict[str, str] = field(default_factory=lambda: {**_UNKNOWN, **dict.fromkeys(_OF_RUNS, "")})

    def tree(self, side: Side) -> Tree:
        ruled = settled(self.own, self.config, self.root, self.options.environ)
        files = hash_now(self.root, ruled.lock.files, self.progress, self.options.environ)
        if files.faults or files.elsewhere:
            gone = [f"{file.path}, because it is not here" for file in files.elsewhere[:_MOST]]
            self.unknown["data"] = "; ".join((*files.faults, *gone))
        notebook, fault = _notebook(self.root, self.own.subject)
        environment, packages = self._environment(notebook)
        now = replace(ruled.lock, files=files.there, subject=_subject(ruled.lock.subject, notebook))
        if environment is not None:
            found = environment.interpreter
            python = replace(now.python, version=found.version, implementation=found.implementation)
            now = replace(now, python=python, conda=installed_conda(found, ruled.lock))
        if self.options.surroundings:
            now = self._surroundings(now, environment)
        now = replace(now, evidence=replace(now.evidence, profiles=self._profiles(now, environment)))
        return Tree(
            root=self.root,
            own=self.own,
            state=State(side, now, packages, first_of([in_folder(self.root)]), self.unknown),
            config=self.config,
            settled=ruled,
            environment=environment,
            missing=files.elsewhere,
            faults=(*files.faults, *([fault] if fault else [])),
        )

    def _environment(self, notebook: NotebookNode | None) -> tuple[Environment | None, tuple[PackageFacts, ...] | None]:
        """What is installed."""
        options, config = self.options, self.config
        try:
            found = find_environment(
                self.root, self.own, config, notebook=notebook, python=options.python, environ=options.environ
            )
        except (UsageError, InfrastructureError) as error:
            if options.python is not None:
                raise
            because = "; ".join((error.what, *error.problems)) if isinstance(error, CaptureError) else error.what
            reason = f"what is installed, because {because}; name its interpreter with --python"
            self.unknown.update(packages=reason, python="")
            return None, None
        return found, installed_packages(found.interpreter, self.own, config, self.root)

    def _surroundings(self, lock: Lock, environment: Environment | None) -> Lock:
        """The lock with what a run would get here: variables, threads, machine."""
        machine = machine_of(RunRecord(machine=describe_machine()))
        lock = replace(lock, evidence=replace(lock.evidence, machine=machine))
        allowed, threads = self.config.env, self.config.threads
        conda = None if environment is None else environment.interpreter.conda
        given = {} if conda is None else stated_variables(conda.path)  # scripts set more, and nothing is run
        try:
            now, _ = read_environment({**self.options.environ, **given}, allowed=allowed, threads=threads)
        except CaptureError as error:
            self.unknown["variables"] = f"environment, because {error.what}: {', '.join(error.problems)}"
            return lock
        active = activation_variables(self.own, self.config)
        now = replace(now, variables={**active, **now.variables})
        if environment is None:
            kept = {key: value for key, value in lock.environment.variables.items() if key == _IMPORTS}
            return replace(lock, environment=replace(now, variables={**now.variables, **kept}))
        folders = {"root": self.root, "workdir": (self.root / lock.subject.path).parent}
        found = with_import_path(now, environment.interpreter, lock.files, lock.modules, **folders)
        return replace(lock, environment=found)

    def _profiles(self, now: Lock, environment: Environment | None) -> tuple[Profile, ...]:
        """The profiles of the lock, made anew for tables that changed."""
        profiles = {profile.path: profile for profile in self.own.evidence.profiles}
        known = {file.path: file.sha256 for file in self.own.files if file.path in profiles}
        changed = [file for file in now.files if file.path in known and known[file.path] != file.sha256]
        if not changed:
            return self.own.evidence.profiles
        python = Path(sys.executable) if environment is None else environment.kernel.python
        made = profile_data(changed, self.root, python, self.config.profiles)
        for file in changed:
            del profiles[file.path]
        return (*made.profiles, *profiles.values())


def _notebook(root: Path, subject: Subject) -> tuple[NotebookNode | None, str]:
    """The notebook, and what is wrong with the subject."""
    path = root / subject.path
    if subject.kind == "script":
        return None, "" if path.is_file() else f"{subject.path}: there is no such script"
    try:
        return load_notebook(path), ""
    except UsageError as error:
        return None, f"{subject.path}: {error.what}"


def _subject(subject: Subject, notebook: NotebookNode | None) -> Subject:
    return subject if notebook is None else replace(subject, kernel=kernel_name(notebook) or "python3")
