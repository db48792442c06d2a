"""What a finding is, where it lies, and what a rule is. Values only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from repro.capture.findings.source import Place, Source
from repro.capture.runs.model import Repeats
from repro.runner.observed import Observed

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an author should know, with its place and its cure.

    Attributes:
        rule: Name of the rule.
        level: `error`: it fails in a fresh kernel, or in the image; `warning`: a rerun may give other results;
            `note`: worth knowing.
        place: Where.
        what: What is there, one sentence without a full stop.
        cure: What to do, in the imperative.
    """

    rule: str
    level: Level
    place: Place
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Run:
    """What a rerun showed, as far as rules ask for it.

    Attributes:
        inputs: Project files that the lock pins, by path.
        observed: What else the run depended on.
        repeats: How further runs differ from it; None without any.
        modules: The project's own modules that it imported, each as a script.
    """

    inputs: frozenset[str] = frozenset()
    observed: Observed = field(default_factory=Observed)
    repeats: Repeats | None = None
    modules: tuple[Source, ...] = ()


Check = Callable[[Source], Iterable[Finding]]
Settle = Callable[[Source, tuple[Finding, ...], Run], Iterable[Finding]]


def lowered(_: Source, findings: tuple[Finding, ...], __: Run) -> Iterable[Finding]:
    """What is left after a run that succeeded: it got past every error, so each is a warning."""
    return (
        Finding(one.rule, "warning" if one.level == "error" else one.level, one.place, one.what, one.cure)
        for one in findings
    )


def without_errors(_: Source, findings: tuple[Finding, ...], __: Run) -> Iterable[Finding]:
    """What is left after a run that succeeded, where its success disproves every error."""
    return (one for one in findings if one.level != "error")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding.

    Attributes:
        name: Its name in reports, repro.toml and comments; part of the interface.
        level: The level that most of its findings have.
        title: What it finds, in a few words.
        help: Why that matters and what to do, for people who meet it for the first time.
        check: Finds it in the source, before anything runs.
        settle: What becomes of its findings, in the light of a run that succeeded; may add some.
        disprovable: Whether a run may show that there is nothing wrong: nothing is stopped before that.
    """

    name: str
    level: Level
    title: str
    help: str
    check: Check
    settle: Settle = lowered
    disprovable: bool = False
