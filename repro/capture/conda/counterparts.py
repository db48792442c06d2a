"""Captured conda packages beside what a target's channels have of them: what to ask for, and what can't be had."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from repro.capture.conda.solve import Channel, Published, Question, runs_with
from repro.conda.blas import blas_variant
from repro.conda.environment import CondaPrefix
from repro.conda.names import NOARCH, channel_address, channel_name, scrubbed
from repro.conda.records import PYTHON, Record
from repro.conda.specs import required_name

NUMBERED_BY_PLATFORM = frozenset({"libgfortran"})
"""Parts of compilers that conda-forge numbers after the library's ABI on macOS and after the compiler on Linux."""

_PYTHON_VARIANT = re.compile(r"_(cpython|cp\d+t?|pypy)$")


def channel_of(record: Record) -> Channel | None:
    """Where a package was installed from; None where its record doesn't say."""
    address = channel_address(record.url or record.channel)
    return Channel(channel_name(address), scrubbed(address).rstrip("/")) if "://" in address else None


def channels_of(prefix: CondaPrefix) -> tuple[Channel, ...]:
    """Every channel that packages were installed from, the one with the most packages first."""
    counts: dict[Channel, int] = {}
    for record in prefix.records:
        channel = channel_of(record)
        if channel is not None:
            counts[channel] = counts.get(channel, 0) + 1
    return tuple(sorted(counts, key=lambda channel: (-counts[channel], channel.url)))


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A captured package and what there is of it for the target.

    Attributes:
        record: The captured package.
        asked: Whether somebody asked for it.
        needed: Whether pip's packages need it.
        parents: Which captured packages need it, sorted.
        published: What the channels have of its name that runs with the captured Python.
        may_differ: Whether it may have another version on the target.
        replaced: Whether another installer has put its own in its place, so that only the solver counts on it.
    """

    record: Record
    asked: bool
    needed: bool
    parents: tuple[str, ...]
    published: tuple[Published, ...]
    may_differ: bool
    replaced: bool

    @property
    def name(self) -> str:
        """The package's name."""
        return self.record.name

    @property
    def same(self) -> tuple[Published, ...]:
        """What has the captured version."""
        return tuple(one for one in self.published if one.version == self.record.version)

    @property
    def wanted(self) -> bool:
        """Whether it belongs on the target whatever else does: it was asked for, or nothing here needs it."""
        return self.asked or self.needed or not self.parents or self.name == PYTHON

    @property
    def absent(self) -> bool:
        """Whether no version of it exists for the target."""
        return not self.published

    @property
    def stuck(self) -> bool:
        """Whether the target lacks what no other conda package can have brought."""
        if self.same or (self.parents and not self.needed):
            return False
        return self.asked or self.needed if self.absent else not self.may_differ

    @property
    def variant(self) -> str:
        """A pattern for builds of the same kind, where kinds matter: `*openblas*`, `*_cpython`; "" for none."""
        python = _PYTHON_VARIANT.search(self.record.build) if self.name in {PYTHON, "python_abi"} else None
        blas = blas_variant(self.name, self.record.build)
        pattern = f"*{python[0]}" if python else f"*{blas}*" if blas else ""
        return pattern if any(fnmatchcase(one.build, pattern) for one in self.same) else ""

    def constraint(self, *, loose: bool) -> str | None:
        """The match specification that keeps it as it is, without its variant if `loose`; None where none can."""
        if self.may_differ or not self.same:
            return None
        kind = f" {self.variant}" if self.variant and not loose else ""
        return f"{self.name} =={self.record.version}{kind}"

    @property
    def hidden(self) -> bool:
        """Whether it is from a channel that another comes before which has its name, too."""
        return bool(self._own) and self.published[0].channel != self._own[0].channel

    @property
    def favourite(self) -> Published | None:
        """What to take of it where no constraint says so: of its own channel, or of its version; None for anything."""
        fitting = self._own if self.hidden else self.same if self.may_differ else ()
        kind = self.variant or "*"
        return max(fitting, key=lambda one: (fnmatchcase(one.build, kind), one.build_number, one.build), default=None)

    @property
    def _own(self) -> tuple[Published, ...]:
        """What has the captured version in the channel that it came from."""
        own = channel_of(self.record)
        return tuple(one for one in self.same if own is not None and one.channel.url == own.url)


@dataclass(frozen=True, slots=True)
class Counterparts:
    """All of an environment's packages beside what a target has of them.

    Attributes:
        laptop: The captured environment's platform, such as `osx-arm64`.
        subdir: The target's, such as `linux-64`.
        by_name: Each package.
    """

    laptop: str
    subdir: str
    by_name: Mapping[str, Counterpart]

    def question(self, preferred: Mapping[str, str]) -> Question:
        """What has to be on the target; `preferred` are addresses of packages by name.

        Channels have strict priority, as conda-forge recommends, unless the environment can't have been made so.
        """
        names = [
            one.name
            for one in self.by_name.values()
            if one.wanted and (one.same or (one.may_differ and not one.absent))
        ]
        likes = {one.name: liked.url for one in self.by_name.values() if (liked := one.favourite) is not None}
        flexible = any(one.hidden for one in self.by_name.values())
        return Question(tuple(sorted(names)), (), flexible, frozenset({**likes, **preferred}.values()))

    def constraints(self, *, loose: bool = False) -> dict[str, str]:
        """What keeps each captured version, by name."""
        made = {name: one.constraint(loose=loose) for name, one in self.by_name.items()}
        return {name: text for name, text in made.items() if text is not None}


def beside(
    prefix: CondaPrefix,
    subdir: str,
    published: Callable[[str], tuple[Published, ...]],
    *,
    may_differ: Collection[str],
    needed: Collection[str],
    replaced: Collection[str],
) -> Counterparts:
    """Put captured packages and published ones side by side.

    Args:
        prefix: The captured environment.
        subdir: The target's.
        published: What the target's channels have of a name, in the channels' order.
        may_differ: Names whose version may be another there.
        needed: Names of conda packages that pip's packages need.
        replaced: Names of those of which nothing is left in the environment.
    """
    parents: dict[str, set[str]] = {}
    for record in prefix.records:
        for spec in record.depends:
            if (name := required_name(spec)) != record.name:
                parents.setdefault(name, set()).add(record.name)
    python = prefix.named[PYTHON].version if PYTHON in prefix.named else None
    free = {*NUMBERED_BY_PLATFORM, *may_differ, *replaced}
    asked = prefix.asked or {record.name for record in prefix.records if record.name not in parents}
    return Counterparts(
        next((record.subdir for record in prefix.records if record.subdir != NOARCH), NOARCH),
        subdir,
        {
            record.name: Counterpart(
                record,
                asked=record.name in asked and record.name not in replaced,
                needed=record.name in needed,
                parents=tuple(sorted(parents.get(record.name, ()))),
                published=tuple(_running(published(record.name), python)),
                may_differ=record.name in free,
                replaced=record.name in replaced,
            )
            for record in prefix.records
        },
    )


def _running(published: Iterable[Published], python: str | None) -> Iterable[Published]:
    return (one for one in published if python is None or runs_with(one, python))
