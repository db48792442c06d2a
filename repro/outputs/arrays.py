"""Arrays side by side: shape, type, elements. Pure; nothing is read here."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.outputs.model import Content, Tolerance, cut, shown, shown_name
from repro.outputs.tables import moved_samples
from repro.words import count

Element = bool | int | float | complex | str

_MATRIX = 2
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Array:
    """An array: its type as NumPy names it (`float64`), its shape, and its elements in C order."""

    dtype: str
    shape: tuple[int, ...]
    elements: Sequence[Element]


@dataclass(frozen=True, slots=True)
class _Difference:
    beyond: int
    within: int
    worst: int | None
    distance: float
    relative: float


def compare_arrays(baseline: Mapping[str, Array], here: Mapping[str, Array], tolerance: Tolerance) -> Content:
    """Compare arrays by name; a file with one array names it "".

    Floats and complex numbers may differ by the tolerance, all else is compared exactly; NaN equals NaN.
    """
    lines = [*_names_told(baseline, here)]
    differences: list[_Difference] = []
    for name in baseline:
        if name in here:
            lines += _compared(name, baseline[name], here[name], tolerance, differences)
    within = sum(one.within for one in differences)
    size = _size(baseline)
    if lines:
        return Content("moved", lines[0], cut(lines[1:]))
    if not within:
        return Content("same", f"the same content in other bytes: {size}")
    largest = max(one.distance for one in differences)
    return Content(
        "within", f"{count(within, 'element')} of {size} differ within the tolerance, by {largest:.3g} at most"
    )


def _size(arrays: Mapping[str, Array]) -> str:
    if len(arrays) == 1:
        one = next(iter(arrays.values()))
        return f"{one.dtype} {_shape(one)}"
    return count(len(arrays), "array")


def _shape(array: Array) -> str:
    return " x ".join(map(str, array.shape)) or "scalar"


def _names_told(baseline: Mapping[str, Array], here: Mapping[str, Array]) -> Iterator[str]:
    missing = [shown_name(name) for name in baseline if name not in here]
    added = [shown_name(name) for name in here if name not in baseline]
    if missing:
        yield f"{count(len(missing), 'array')} missing: {', '.join(missing[:_MOST_NAMED])}"
    if added:
        yield f"{count(len(added), 'array')} more than on the laptop: {', '.join(added[:_MOST_NAMED])}"


def _compared(
    name: str, baseline: Array, here: Array, tolerance: Tolerance, differences: list[_Difference]
) -> Iterator[str]:
    """Lines for what is beyond the tolerance; what there is to know besides goes to `differences`."""
    begin = f"{shown_name(name)}: " if name else ""
    if baseline.dtype != here.dtype:
        yield f"{begin}type {here.dtype}, on the laptop {baseline.dtype}"
    if baseline.shape != here.shape:
        yield f"{begin}shape {_shape(here)}, on the laptop {_shape(baseline)}"
        return
    found = _difference(baseline.elements, here.elements, tolerance)
    differences.append(found)
    if not found.beyond:
        return
    share = f" ({found.beyond / len(baseline.elements):.3g} of all)" if len(baseline.elements) > 1 else ""
    differ = f"{found.beyond} of {count(len(baseline.elements), 'element')} differ{share}"
    yield f"{begin}{differ}{_worst(found, baseline, here)}"
    if _is_square_of_counts(baseline) and _is_square_of_counts(here):
        counts = moved_samples(baseline.elements, here.elements)  # type: ignore[arg-type] # integers, as just seen
        if counts:
            yield begin + counts


def _is_square_of_counts(array: Array) -> bool:
    whole = array.dtype.startswith(("int", "uint"))
    return whole and len(array.shape) == _MATRIX and array.shape[0] == array.shape[1]


def _worst(found: _Difference, baseline: Array, here: Array) -> str:
    if found.worst is None:
        return ""
    place = ", ".join(map(str, _index(found.worst, baseline.shape)))
    values = f"{shown(baseline.elements[found.worst])}, here {shown(here.elements[found.worst])}"
    return f", most at [{place}]: {values}; by {found.distance:.6g} and {found.relative:.3g} of it at most"


def _index(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Where an element is, counted in C order."""
    index: list[int] = []
    for length in reversed(shape):
        number, last = divmod(number, length)
        index.append(last)
    return tuple(reversed(index))


def _difference(baseline: Sequence[Element], here: Sequence[Element], tolerance: Tolerance) -> _Difference:
    beyond, within, worst, largest, relative = 0, 0, None, -1.0, 0.0
    for place, (one, other) in enumerate(zip(baseline, here, strict=True)):
        if one == other or (one != one and other != other):  # noqa: PLR0124 - what makes a NaN
            continue
        distance = _distance(one, other)
        if distance > largest:
            worst, largest = place, distance
        relative = max(relative, _share(distance, one))
        if _near(one, other, tolerance):
            within += 1
        else:
            beyond += 1
    return _Difference(beyond, within, worst, largest, relative)


def _near(one: Element, other: Element, tolerance: Tolerance) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return tolerance.holds(one, other)
    if isinstance(one, complex) and isinstance(other, complex):
        return all(
            left == right or tolerance.holds(left, right)
            for left, right in ((one.real, other.real), (one.imag, other.imag))
        )
    return False


def _distance(one: Element, other: Element) -> float:
    """Between two numbers; infinite to and from what isn't finite, -1 where there is none."""
    if isinstance(one, bool | str) or isinstance(other, bool | str):
        return -1.0
    try:
        distance = float(abs(other - one))
    except OverflowError:  # of complex numbers
        return math.inf
    return distance if math.isfinite(distance) else math.inf


def _share(distance: float, baseline: Element) -> float:
    """The distance as a share of the baseline; 0 where it is none of a number, or where the baseline is zero."""
    if distance < 0 or isinstance(baseline, str) or not baseline:
        return 0.0
    try:
        return distance / abs(baseline)
    except OverflowError:
        return 0.0
