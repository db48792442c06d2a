"""Which captured versions stand in each other's way on another platform. Pure but for the solver that it asks."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from repro.capture.conda.solve import Conflict, Published, Question, Solver


@dataclass(frozen=True, slots=True)
class Group:
    """Packages that don't fit together: each may be there without the others.

    Attributes:
        names: Sorted.
        versions_matter: Whether it is their captured versions that don't; else no versions of them do.
        message: The solver's explanation, about these alone.
    """

    names: tuple[str, ...]
    versions_matter: bool
    message: str


def find_culprits(
    solver: Solver, question: Question, constraints: Mapping[str, str]
) -> tuple[list[Group], tuple[Published, ...]]:
    """The groups that make a question unanswerable, and what would be there if they were free.

    Args:
        solver: Who is asked.
        question: What has to be there; its own constraints count as given.
        constraints: What is to hold for each package that is there, by name.

    Returns:
        The groups by name, which have no package in common, and what would be there without their constraints (empty
        when there still is no such set).
    """
    left = dict(constraints)
    groups: list[Group] = []
    while isinstance(answer := solver.solve(question.under(left.values())), Conflict):
        names = _among(solver, question, left, answer.message)
        if not names:
            return [*groups, _asked_for(solver, question)], ()
        groups.append(_group(names, solver.solve(question.under(left[name] for name in names)), versions_matter=True))
        left = {name: text for name, text in left.items() if name not in names}
    return sorted(groups, key=lambda group: group.names), answer


def _among(solver: Solver, question: Question, constraints: Mapping[str, str], message: str) -> list[str]:
    """The smallest part of the constraints that can't be met; empty when the question alone can't."""

    def fits(names: Sequence[str]) -> bool:
        return not isinstance(solver.solve(question.under(constraints[name] for name in names)), Conflict)

    return _minimal(_likely_first(constraints, message), fits)


def _asked_for(solver: Solver, question: Question) -> Group:
    """Those of the packages that were asked for which don't fit together, whatever their versions."""

    def ask(names: Sequence[str]) -> tuple[Published, ...] | Conflict:
        return solver.solve(replace(question, specs=tuple(names)))

    names = _minimal(list(question.specs), lambda some: not isinstance(ask(some), Conflict))
    return _group(names, ask(names), versions_matter=False)


def _group(names: Sequence[str], answer: tuple[Published, ...] | Conflict, *, versions_matter: bool) -> Group:
    message = answer.message if isinstance(answer, Conflict) else ""
    return Group(tuple(sorted(names)), versions_matter, message)


def _likely_first(constraints: Mapping[str, str], message: str) -> list[str]:
    """All names, those that the solver mentions first: a search that keeps what comes first stays among them."""
    said = set(re.findall(r"[a-z0-9_.-]+", message.lower()))
    return sorted(constraints, key=lambda name: (name not in said, name))


def _minimal(items: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> list[str]:
    """The smallest part of what doesn't fit that doesn't fit either; empty when nothing at all doesn't.

    QuickXplain (Junker, "Preferred explanations and relaxations for over-constrained problems", AAAI 2004): it takes
    about as many questions as there are culprits, times the logarithm of all.
    """

    def search(given: list[str], some: Sequence[str], *, moved: bool) -> list[str]:
        if moved and not fits(given):
            return []
        if len(some) == 1:
            return list(some)
        half = len(some) // 2
        first, second = list(some[:half]), list(some[half:])
        later = search(given + first, second, moved=bool(first))
        return search(given + later, first, moved=bool(later)) + later

    return [] if not items or not fits([]) else search([], list(items), moved=False)
