"""Which interpreter a notebook or script runs under. What can't be told is asked, never guessed."""

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from nbformat import NotebookNode

from repro.capture.conda.kernels import conda_kernels
from repro.capture.environments import EnvironmentCandidate, Rank, candidate_environments, outside_path, path_pythons
from repro.capture.interpreters import absolute, fault, identity, prefix_python
from repro.capture.kernelspecs import KernelSpec, environment_specs, user_specs
from repro.capture.model import Kernel
from repro.capture.notebook import kernel_language, kernel_name, language_version
from repro.capture.readiness import Readiness, no_kernel_error, readiness
from repro.errors import InfrastructureError, UsageError

_CHOOSE = "Name the right one: --python PATH, or --kernel NAME for a registered kernel."
_NATIVE = "python3"
# Names that say nothing about which Python: Jupyter's own, and those that VS Code and PyCharm make up as they go.
_GENERIC = re.compile(r"python[0-9.]*|.*jvsc74a57bd0.*|pycharm-[0-9a-f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """One kernel or environment that is available, for people.

    Attributes:
        name: Kernelspec name, None for an environment.
        display_name: As menus show it, or how the environment was found.
        language: Such as `python` or `R`.
        python: Its interpreter; None for other languages, and for a bare `python` that means the one on PATH.
        where: Directory of its kernel.json, or prefix of the environment.
        problem: Why it can't be used, or None.
    """

    name: str | None
    display_name: str
    language: str
    python: Path | None
    where: Path
    problem: str | None

    def __str__(self) -> str:
        program = self.python or (self.language if self.language.lower() != "python" else "python3 on PATH")
        label = f"{self.name} “{self.display_name}”" if self.name else self.display_name
        return f"{label}: {self.problem or program} ({self.where})"


def list_kernels(root: Path, start: Path, environ: Mapping[str, str]) -> list[KernelEntry]:
    """Every registered kernel of any language, then every environment of the project.

    Args:
        root: Project root, absolute.
        start: The subject's directory.
        environ: The user's variables.
    """
    environments = candidate_environments(root, start, environ)
    specs = [*user_specs(environ), *environment_specs([one.prefix for one in environments], environ)]
    return _entries(specs, environments)


def resolve_kernel(
    subject: Path,
    root: Path,
    *,
    notebook: NotebookNode | None,
    kernel: str | None,
    python: Path | None,
    environ: Mapping[str, str],
) -> Kernel:
    """The interpreter that a notebook or script is captured under.

    In this order: `python`; the kernelspec `kernel`; the kernelspec that the notebook names; the active virtual
    environment, the project's own, poetry's, pipenv's; pyenv's; a kernelspec of the system; python3 on PATH.

    Args:
        subject: The notebook or script, absolute.
        root: Project root, absolute.
        notebook: The notebook's content, None for a script.
        kernel: Name of a kernelspec to use.
        python: Interpreter, or environment, to use.
        environ: The user's variables.

    Raises:
        UsageError: None fits, several do, or the one that fits can't run; what there is is listed.
        InfrastructureError: The interpreter can't be run.
    """
    search = _Search(subject, root, notebook, environ)
    search.check_language()
    if python is not None:
        return search.checked(search.given(python))
    return search.checked(search.registered(kernel) if kernel else search.best())


@dataclass(frozen=True)
class _Search:
    """One look for an interpreter; what is found on the way is kept."""

    subject: Path
    root: Path
    notebook: NotebookNode | None
    environ: Mapping[str, str]

    @cached_property
    def where(self) -> str:
        inside = self.subject.is_relative_to(self.root)
        return self.subject.relative_to(self.root).as_posix() if inside else str(self.subject)

    @cached_property
    def name(self) -> str | None:
        return None if self.notebook is None else kernel_name(self.notebook)

    @cached_property
    def environments(self) -> list[EnvironmentCandidate]:
        return candidate_environments(self.root, self.subject.parent, self.environ)

    @cached_property
    def user_specs(self) -> list[KernelSpec]:
        return user_specs(self.environ)

    @cached_property
    def spec_groups(self) -> list[list[KernelSpec]]:
        """All specs, the more telling before the less: only those within a group can contradict each other."""
        personal = [spec for spec in self.user_specs if spec.level != "system"]
        system = [spec for spec in self.user_specs if spec.level == "system"]
        of = {rank: environment_specs([one.prefix for one in self.ranked(rank)], self.environ) for rank in Rank}
        return [[*personal, *of[Rank.PROJECT]], of[Rank.PYENV], of[Rank.CONDA_BASE], system, of[Rank.OWN]]

    def check_language(self) -> None:
        language = None if self.notebook is None else kernel_language(self.notebook)
        if language is not None and language.lower() not in {"python", "ipython"}:
            raise self.error(f"the notebook's kernel {self.name or ''} runs {language}; only Python can be captured")

    def given(self, path: Path) -> Kernel:
        """The interpreter of `--python`, which may also be an environment's directory or a name on PATH."""
        found: Path | None = absolute(path)
        if path.is_dir():
            found = prefix_python(absolute(path))
        elif len(path.parts) == 1 and not path.exists():
            named = shutil.which(path.name, path=":".join(outside_path(self.environ)))
            found = Path(named) if named else found
        if found is None:
            raise UsageError(f"there is no Python in {path}", where="--python", fix="Give the path of an interpreter.")
        problem = fault(found)
        if problem:
            raise UsageError(problem, where="--python", fix="Give the path of an interpreter that can be run.")
        return Kernel(None, found, source="--python")

    def registered(self, name: str) -> Kernel:
        """The kernel that is registered under a name, wherever that is.

        Raises:
            UsageError: There is none, it isn't Python, its interpreter is gone, or interpreters differ.
        """
        groups = [[spec for spec in group if spec.name == name.lower()] for group in self.spec_groups]
        for group in groups:
            usable = [self.of_spec(spec) for spec in group if _usable(spec)]
            if usable:
                return self.only(usable)
        named = [spec for group in groups for spec in group]
        conda = (
            [] if named else [self.of_environment(one) for one in conda_kernels(name, self.environ) if not one.problem]
        )
        if conda:
            return self.only(conda)
        if not named:
            raise self.error(f"there is no kernel named {name} here")
        if not named[0].is_python:
            raise self.error(f"the kernel {name} runs {named[0].language}; only Python can be captured")
        raise self.error(f"the kernel {name} can't be used: {named[0].problem}")

    def best(self) -> Kernel:
        """What the notebook names and the project's surroundings say."""
        if self.name is not None and _GENERIC.fullmatch(self.name) is None:
            return self.registered(self.name)
        project = [self.of_environment(one) for one in self.ranked(Rank.PROJECT) if not one.problem]
        personal = [self.of_spec(one) for one in self.same_name("user") if one.python]
        if personal or project:
            return self.only([*personal, *project])
        for one in (*self.ranked(Rank.PROJECT), *self.ranked(Rank.PYENV)):
            if one.problem:
                raise self.error(f"{one.source}: {one.problem}")
            return self.of_environment(one)
        return self.fallback()

    def fallback(self) -> Kernel:
        """What is there when nothing was made for the project."""
        specs = [*self.same_name("system"), *self.same_name("user")]
        kernels = [
            *(self.of_environment(one) for one in self.ranked(Rank.CONDA_BASE) if not one.problem),
            *(self.of_spec(one) for one in specs),
        ]
        own = [self.of_environment(one) for one in self.ranked(Rank.OWN) if not one.problem]
        # Only a notebook kernel in it says that it was made for more than to run repro: scripts need that sign too.
        fitting = [
            *(kernel for kernel in kernels if self.fits(kernel, wants_kernel=self.notebook is not None)),
            *(kernel for kernel in own if self.fits(kernel, wants_kernel=True)),
        ]
        return fitting[0] if fitting else Kernel(self.name, self.path_python, source="python3 on PATH")

    def ranked(self, rank: Rank) -> list[EnvironmentCandidate]:
        return [one for one in self.environments if one.rank is rank]

    def same_name(self, level: str) -> list[KernelSpec]:
        """Usable specs of the notebook's name on a level; none for scripts."""
        if self.notebook is None:
            return []
        wanted = (self.name or _NATIVE).lower()
        return [one for one in self.user_specs if one.level == level and one.name == wanted and _usable(one)]

    def of_environment(self, one: EnvironmentCandidate) -> Kernel:
        """The kernel of an environment, with the variables that its own spec of the notebook's name sets."""
        wanted = (self.name or _NATIVE).lower()
        own = [] if self.notebook is None else environment_specs([one.prefix], self.environ)
        env = next((spec.env for spec in own if spec.name == wanted and _usable(spec)), {})
        return Kernel(self.name, one.python, env, one.source)

    def of_spec(self, spec: KernelSpec) -> Kernel:
        return Kernel(spec.name, spec.python or self.path_python, spec.env, f"kernelspec {spec.name} in {spec.folder}")

    @cached_property
    def path_python(self) -> Path:
        """python3 on PATH outside repro's own environment, and what really runs behind pyenv's shim."""
        for one in path_pythons(self.environ):
            try:
                return self.state(Kernel(None, one)).executable
            except (InfrastructureError, UsageError):
                continue  # a shim without a version, Windows' link to its shop, or a python that is Python 2
        raise self.error("no Python environment was found for this project, and there is no python3 on PATH")

    def only(self, kernels: Iterable[Kernel]) -> Kernel:
        """The one kernel; raises when their interpreters differ."""
        distinct: dict[Path, Kernel] = {}
        for one in kernels:
            distinct.setdefault(identity(one.python), one)
        if len(distinct) == 1:
            return next(iter(distinct.values()))
        saved = self.notebook and language_version(self.notebook)
        raise UsageError(
            "several Python environments could be meant, and they differ",
            where=self.where,
            problems=[f"{one.python} ({one.source})" for one in distinct.values()],
            fix=_CHOOSE,
            details=f"The notebook was last saved under Python {saved}." if saved else "",
        )

    def fits(self, kernel: Kernel, *, wants_kernel: bool) -> bool:
        try:
            state = self.state(kernel)
        except (InfrastructureError, UsageError):
            return False
        return not wants_kernel or state.kernel_fault is None

    def state(self, kernel: Kernel) -> Readiness:
        return readiness(kernel.python, cwd=self.subject.parent, env={**self.environ, **kernel.env})

    def checked(self, kernel: Kernel) -> Kernel:
        """The kernel, once its interpreter has answered and can run the subject."""
        state = self.state(kernel)
        if _is_script(kernel.python):
            kernel = replace(kernel, python=state.executable)
        if self.notebook is not None and state.kernel_fault is not None:
            wanted = identity(kernel.python)
            tools = [one.tool for one in self.environments if not one.problem and identity(one.python) == wanted]
            raise no_kernel_error(kernel.python, kernel.source, state, tools[0] if tools else None, self.where)
        return kernel

    def error(self, what: str) -> UsageError:
        """An error that lists what is available."""
        available = _entries(chain.from_iterable(self.spec_groups), self.environments)
        return UsageError(
            what,
            where=self.where,
            fix=_CHOOSE,
            details="\n".join(["Available here:", *(f"  {entry}" for entry in available)] if available else []),
        )


def _entries(specs: Iterable[KernelSpec], environments: Iterable[EnvironmentCandidate]) -> list[KernelEntry]:
    return [
        *(KernelEntry(s.name, s.display_name, s.language or "python", s.python, s.folder, s.problem) for s in specs),
        *(KernelEntry(None, e.source, "python", e.python, e.prefix, e.problem) for e in environments),
    ]


def _usable(spec: KernelSpec) -> bool:
    return spec.is_python and spec.problem is None


def _is_script(path: Path) -> bool:
    """Whether an "interpreter" is a launcher such as pyenv's shim, which may start another one elsewhere."""
    with path.open("rb") as stream:
        return stream.read(2) == b"#!"
