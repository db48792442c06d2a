"""Two sides → everything in which they differ, grouped by what can move a metric. Pure, but for contents of files."""

from collections.abc import Callable, Iterator

from repro.differ.files import code_changes, data_changes
from repro.differ.model import Change, Difference, Group, Section
from repro.differ.packages import package_changes
from repro.differ.platforms import machine_changes, python_changes, system_changes
from repro.differ.rules import environment_changes, evidence_changes, metric_changes
from repro.differ.state import State

_Compare = Callable[[State, State], Iterator[Change]]

_GROUPS: tuple[tuple[Group, _Compare, tuple[str, ...]], ...] = (
    ("code", code_changes, ("code",)),
    ("data", data_changes, ("data",)),
    ("packages", package_changes, ("packages",)),
    ("python", python_changes, ("python", "base")),
    ("system", system_changes, ("system",)),
    ("environment", environment_changes, ("variables",)),
    ("machine", machine_changes, ("machine", "libraries")),
    ("metrics", metric_changes, ("values",)),
    ("evidence", evidence_changes, ()),
)


def difference(before: State, after: State) -> Difference:
    """What changed from one side to the other."""
    if before.side.digest == after.side.digest and "tree" not in {before.side.kind, after.side.kind}:
        return Difference(before.side, after.side, ())
    found = [_section(group, compare, names, before, after) for group, compare, names in _GROUPS]
    sections = tuple(section for section in found if section.changes or section.unknown)
    if not any(section.changes for section in sections) and "tree" not in {before.side.kind, after.side.kind}:
        sections = (*sections, _unnamed(before, after))
    return Difference(before.side, after.side, sections)


def _section(group: Group, compare: _Compare, names: tuple[str, ...], before: State, after: State) -> Section:
    reasons = (state.unknown.get(name, "") for name in names for state in (before, after))
    unknown = tuple(dict.fromkeys(reason for reason in reasons if reason))
    known = group != "packages" or (before.packages is not None and after.packages is not None)
    changes = tuple(compare(before, after)) if known else ()
    return Section(group, tuple(sorted(changes, key=lambda one: not one.moves)), unknown)


def _unnamed(before: State, after: State) -> Section:
    """The locks differ, so that they must not pass for the same, though in nothing that has a name here."""
    digests = before.side.digest, after.side.digest
    return Section("evidence", (Change("lock", "changed", "other", *digests, moves=False),))
