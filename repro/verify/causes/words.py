"""How causes name cells, values and lists."""

from collections.abc import Sequence

from repro.runner.documents import Failure
from repro.runner.observed import Place
from repro.verify.causes.situation import Difference
from repro.verify.model import Cause
from repro.words import few

UNSET = "not set"
_MOST = 5


def cell(number: int | None, line: int = 0) -> str:
    """`cell 3, line 2`; "" where no cell is known."""
    if number is None:
        return ""
    return f"cell {number}, line {line}" if line else f"cell {number}"


def where(place: Place, otherwise: str) -> str:
    """The cell, or the file and line, of a place; else what is given."""
    if place.cell is not None and not place.file:
        return cell(place.cell, place.line)
    line = f", line {place.line}" if place.line else ""
    return f"{place.file}{line}" if place.file else otherwise


def in_(place: str) -> str:
    """` in cell 3`; "" for no place."""
    return f" in {place}" if place else ""


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    return few(names, _MOST)


def value(text: str | None) -> str:
    """A setting's value."""
    return UNSET if text is None else text or "empty"


def lines(differences: Sequence[Difference]) -> tuple[str, ...]:
    """`TZ: Europe/Rome on the laptop, not set here`."""
    return tuple(
        f"{one.name.lstrip('$')}: {value(one.laptop)} on the laptop, {value(one.here)} here" for one in differences
    )


def lacking(failure: Failure, rule: str, message: str, *, laptop: str, here: str, where: str, fix: str) -> Cause:
    """What an evaluation failed for because the image doesn't have it: the failure itself says so."""
    place = cell(failure.cell) or where
    return Cause(rule, message, laptop, here, place, "certain", fix, (failure.message,))
