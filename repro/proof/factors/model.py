"""What a rule for a factor says: two settings to swap, or why there is nothing to swap. Values only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.runner.experiment import Experiment
from repro.verify.causes.situation import Situation


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a factor: in words, and as what a run is told."""

    text: str
    experiment: Experiment


@dataclass(frozen=True, slots=True)
class Swap:
    """A factor that can be set to both values.

    Attributes:
        factor: Name of its rule, `[a-z-]+`, that of the cause in a verdict where there is such.
        title: What it is, for people: `the OpenBLAS kernel`.
        laptop: As it was on the laptop.
        here: As it is in this image on this machine.
        known: Whether the laptop's value is evidence; a value that is only tried proves as much when it moves the
            metric both ways, but is tried last.
        fix: What to do when it is the cause.
    """

    factor: str
    title: str
    laptop: Setting
    here: Setting
    fix: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A factor that is not tried, and why."""

    factor: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What rules look at: both runs as far as they are known, and where the project is (None when nobody said)."""

    situation: Situation
    project: Path | None = None

    def setting(self, name: str) -> tuple[str | None, str | None]:
        """A setting of the interpreter, or a variable by `$NAME`: on the laptop and here; None where unknown."""
        laptop, here = self.situation.laptop.record, self.situation.here.record
        return (
            None if laptop is None else laptop.settings.get(name),
            None if here is None else here.settings.get(name),
        )


Found = Iterator[Swap | LeftOut]
"""What a rule gives: nothing where the factor plays no role at all."""


def variables(text: str, **values: str) -> Setting:
    """A setting made by environment variables."""
    return Setting(text, Experiment(environment=values))


def same(factor: str, title: str, value: str | None) -> LeftOut:
    """The factor was the same in both runs."""
    return LeftOut(factor, title, f"the same on both sides: {value}" if value else "not known of either side")
