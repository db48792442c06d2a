"""Delta debugging: the smallest set of changes that moves a behaviour. Pure: what a set does is asked of the caller.

ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE TSE 28, 2002), over sets that
are closed: a change never comes without those that it can't be installed without.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

Names = frozenset[str]
FirstMoved = Callable[[Sequence[Names]], int | None]
"""The number of the first of these sets that moves the behaviour; None when each leaves it, or can't be tried."""

_HALVES = 2


def closures(needs: Mapping[str, AbstractSet[str]], names: Sequence[str]) -> dict[str, Names]:
    """Each change with all that has to come along, directly or not, itself included."""
    return {name: _reached(name, needs) for name in names}


def smallest(
    changes: Sequence[str],
    together: Mapping[str, Names],
    first_moved: FirstMoved,
    reduced: Callable[[Sequence[str]], None] = lambda _: None,
) -> tuple[str, ...]:
    """A closed subset that moves the behaviour while no part of it that could be tried does.

    Args:
        changes: All of them, which together move it; the likeliest first.
        together: What comes with each (`closures`).
        first_moved: Tries sets; an exception of it ends the search.
        reduced: Hears each smaller set that still moves it.

    Returns:
        The changes in the order given. For one culprit among n independent changes, `first_moved` is asked about at
        most 2·log2(n) sets.
    """
    left, parts = tuple(changes), _HALVES
    while len(left) > 1:
        candidates = list(_candidates(left, parts, together))
        found = first_moved(candidates) if candidates else None
        if found is not None:
            chosen = candidates[found]
            is_part = found < _count_parts(left, parts, together)
            left = tuple(name for name in left if name in chosen)
            parts = _HALVES if is_part else max(parts - 1, _HALVES)
            reduced(left)
        elif parts < len(left):
            parts = min(2 * parts, len(left))
        else:
            break
    return left


def _candidates(left: Sequence[str], parts: int, together: Mapping[str, Names]) -> Iterator[Names]:
    """Proper closed subsets to try, each once: the parts with what they need, then what is left without a part."""
    seen: set[Names] = {frozenset(left), frozenset()}
    for candidate in (*_with_needs(left, parts, together), *_without(left, parts, together)):
        if candidate not in seen:
            seen.add(candidate)
            yield candidate


def _count_parts(left: Sequence[str], parts: int, together: Mapping[str, Names]) -> int:
    """How many of the candidates are parts."""
    return len(set(_with_needs(left, parts, together)) - {frozenset(left)})


def _with_needs(left: Sequence[str], parts: int, together: Mapping[str, Names]) -> Iterator[Names]:
    for part in _split(left, parts):
        yield frozenset[str]().union(*(together[name] for name in part)) & frozenset(left)


def _without(left: Sequence[str], parts: int, together: Mapping[str, Names]) -> Iterator[Names]:
    """What is left without each part, and without all that needs something of it."""
    for part in _split(left, parts):
        yield frozenset(name for name in left if together[name].isdisjoint(part))


def _split(left: Sequence[str], parts: int) -> Iterator[Sequence[str]]:
    """So many parts of as equal a size as can be, the larger ones first."""
    size, more = divmod(len(left), parts)
    start = 0
    for number in range(parts):
        end = start + size + (number < more)
        yield left[start:end]
        start = end


def _reached(name: str, needs: Mapping[str, AbstractSet[str]]) -> Names:
    found, todo = {name}, [name]
    while todo:
        new = needs.get(todo.pop(), frozenset()) - found
        found |= new
        todo.extend(new)
    return frozenset(found)
