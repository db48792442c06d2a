"""Findings in the course of a capture: looked for before the run, settled in its light, and what they stop."""

import tokenize
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.evidence import Evidence
from repro.capture.findings import RULES, Finding, Run, Source, find, notebook_source, script_source, settle
from repro.capture.findings.imports import imported_modules
from repro.capture.model import Interpreter
from repro.capture.notebook import kernel_language
from repro.capture.probe import ask
from repro.capture.project import Project
from repro.capture.request import CaptureRequest
from repro.errors import CaptureError
from repro.progress import Progress

Tell = Callable[[tuple[Finding, ...]], None]
"""Hears of all findings as soon as they are known, and again when a run has settled them."""

_UNFOUND = """\
from importlib.util import find_spec

def missing(name):
    try:
        return find_spec(name) is None
    except Exception:
        return False

def describe():
    return {{"names": [name for name in {names!r} if missing(name)]}}
"""


def nobody(_: tuple[Finding, ...]) -> None:
    """For captures whose findings nobody wants to hear of before they end."""


@dataclass(frozen=True, slots=True)
class Review:
    """What was found before the run.

    Attributes:
        source: What the rules looked at.
        found: What they found.
        request: Whether there is a run, and what findings stop.
        allowed: Rules that repro.toml silences.
        tell: Hears of findings.
    """

    source: Source
    found: tuple[Finding, ...]
    request: CaptureRequest
    allowed: tuple[str, ...]
    tell: Tell

    def settled(self, evidence: Evidence) -> tuple[Finding, ...]:
        """What is left after the run, or of a capture without one.

        Raises:
            CaptureError: With `--strict`, there are errors or warnings.
        """
        if not self.request.rerun:
            return self.found
        inputs = frozenset(file.path for file in evidence.files)
        modules = _modules(self.source, inputs.union(evidence.editable))
        run = Run(inputs, evidence.observed, evidence.repeats, modules)
        found = settle(self.source, self.found, run, self.allowed)
        self.tell(found)
        _stop(found, self.request, self.source.path)
        return found


def review(
    project: Project,
    request: CaptureRequest,
    interpreter: Interpreter,
    *,
    env: Mapping[str, str],
    progress: Progress,
    tell: Tell = nobody,
) -> Review:
    """Look at the subject before anything runs.

    Args:
        project: What is captured.
        request: What stops it.
        interpreter: The Python that will run it.
        env: The whole environment of that.
        progress: Hears of errors at once.
        tell: Hears of everything.

    Raises:
        CaptureError: With `--strict`, there are errors or warnings; or there are errors, and no run to disprove them.
    """
    source = _source(project)
    modules = imported_modules(source)
    unfound = unfound_modules(modules, interpreter.executable, cwd=project.subject.parent, env=env)
    source = replace(source, python=interpreter.version, unfound=unfound)
    allowed = project.config.allowed_findings
    found = find(source, allowed)
    tell(found)
    _stop(_certain(found) if request.rerun else found, request, project.path)
    for one in found:
        if one.level == "error":
            progress.warn(f"{one}; the run will tell")
    return Review(source, found, request, allowed, tell)


def unfound_modules(names: Collection[str], python: Path, *, cwd: Path, env: Mapping[str, str]) -> frozenset[str]:
    """Those of some top-level modules that a Python doesn't find; none is imported.

    Raises:
        InfrastructureError: It can't be asked.
    """
    if not names:
        return frozenset()
    return frozenset(ask(python, _UNFOUND.format(names=sorted(names)), cwd=cwd, env=env)["names"])


def _source(project: Project) -> Source:
    text = project.subject.read_text(encoding="utf-8-sig", errors="replace")
    if project.notebook is None:
        source = script_source(project.path, text)
    elif (kernel_language(project.notebook) or "python").lower() in {"python", "python3", "ipython"}:
        source = notebook_source(project.path, project.notebook, text)
    else:
        source = Source(project.path, ())
    return replace(source, root=project.root.as_posix())


def _modules(subject: Source, inputs: Iterable[str]) -> tuple[Source, ...]:
    """The local modules among files that the run used; those that can't be read as Python are left out."""
    found = []
    for path in sorted(inputs):
        if path.endswith(".py") and path != subject.path:
            try:
                with tokenize.open(Path(subject.root, path)) as file:
                    source = script_source(path, file.read())
            except (OSError, SyntaxError, UnicodeError):
                continue
            found.append(replace(source, root=subject.root, python=subject.python))
    return tuple(found)


def _certain(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Without those that a run may disprove."""
    open_ = {rule.name for rule in RULES if rule.disprovable}
    return tuple(one for one in found if one.rule not in open_)


def _stop(found: tuple[Finding, ...], request: CaptureRequest, path: str) -> None:
    levels = {"error", "warning"} if request.strict else set() if request.rerun else {"error"}
    bad = [one for one in found if one.level in levels]
    if not bad:
        return
    why = "with --strict, " if request.strict else "without a run that could disprove them, "
    raise CaptureError(
        f"{why}these findings stop the capture",
        where=path,
        problems=[f"{one.level}: {one} ({one.rule}). {one.cure}" for one in bad],
        fix="Follow the cure given with each, or silence it with a comment on its line, "
        f"`# repro: allow {bad[0].rule}`; then capture again. docs/formats/findings.md explains each.",
    )
