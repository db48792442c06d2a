"""Packages that are on sys.path more than once: which copy counts, and whether that is the one that ran."""

import os
from collections.abc import Iterable, Iterator, Mapping

from repro.capture.model import Distribution, Interpreter
from repro.capture.ownership import owned_files
from repro.errors import CaptureError
from repro.words import few

_MOST = 6


def review_copies(interpreter: Interpreter) -> tuple[str, ...]:
    """Sentences about copies that are passed over.

    Raises:
        CaptureError: Two versions are recorded in one directory, so that nobody can tell which one its files are.
    """
    first = {one.name: one for one in interpreter.distributions}
    pairs = [(first[one.name], one) for one in interpreter.shadowed if one.name in first]
    unclear = [pair for pair in pairs if _in_one_place(*pair)]
    if unclear:
        raise CaptureError(
            "two versions of a package are recorded in one place, so which one is installed can't be told",
            problems=[f"{one.name}: {one.version} and {other.version} in {one.location}" for one, other in unclear],
            fix=_cure(unclear),
        )
    return tuple(_passed_over(pairs))


def misplaced_imports(modules: Mapping[str, str], interpreter: Interpreter) -> tuple[str, ...]:
    """A problem for each package of which the run imported another copy than the one that would be locked.

    Args:
        modules: Imported module → its file, absolute.
        interpreter: The captured environment.
    """
    if not interpreter.shadowed:
        return ()
    owners: dict[str, list[Distribution]] = {}
    for one in owned_files(modules.values(), interpreter):
        owners.setdefault(one.file, []).append(one.distribution)
    wrong = {id(one): one for found in owners.values() for one in _only_shadowed(found, interpreter.shadowed)}
    first = {one.name: one for one in interpreter.distributions}
    return tuple(sorted(_misplaced(first[one.name], one) for one in wrong.values() if one.name in first))


def _in_one_place(one: Distribution, other: Distribution) -> bool:
    same = os.path.realpath(one.location) == os.path.realpath(other.location)
    return same and one.record and other.record and one.version != other.version


def _cure(unclear: Iterable[tuple[Distribution, Distribution]]) -> str:
    """With pip; where conda brought one of them, with both, because neither knows of the other's."""
    pairs = list(unclear)
    names = " ".join(sorted({one.name for one, _ in pairs}))
    conda = sorted({one.conda for pair in pairs for one in pair if one.conda is not None})
    if conda:
        return (
            f"Take out pip's, then install conda's again: pip uninstall {names}; "
            f"conda install --force-reinstall {' '.join(conda)}"
        )
    return f"Install it again: pip install --force-reinstall {names}"


def _only_shadowed(owners: Iterable[Distribution], shadowed: Iterable[Distribution]) -> Iterator[Distribution]:
    found = list(owners)
    if all(one in shadowed for one in found):
        yield from found


def _passed_over(pairs: Iterable[tuple[Distribution, Distribution]]) -> Iterator[str]:
    """One sentence for each two places."""
    places: dict[tuple[str, str], list[str]] = {}
    for one, other in pairs:
        label = f"{one.name} {other.version} ({one.version} is locked)"
        places.setdefault((str(one.location), str(other.location)), []).append(label)
    for (first, second), labels in sorted(places.items()):
        yield f"{second} is passed over, because {first} comes first on sys.path, for {few(labels, _MOST)}"


def _misplaced(first: Distribution, other: Distribution) -> str:
    return (
        f"{other.name} {other.version} was imported from {other.location}, but {first.version} in {first.location} "
        "comes first on sys.path as the interpreter starts, and would be in the image; uninstall one of them, "
        "or don't change sys.path in the run"
    )
