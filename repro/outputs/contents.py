"""Two files of one name → how their contents compare. Runs in a process of its own (`judge`): files may be hostile."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repro.lock import OutputKind
from repro.outputs.arrays import compare_arrays
from repro.outputs.figures import compare_figures
from repro.outputs.kinds import MARKUP
from repro.outputs.limits import MOST_BYTES
from repro.outputs.model import Content, Tolerance, UnreadableError
from repro.outputs.read_arrays import read_arrays
from repro.outputs.read_tables import decoded, read_table
from repro.outputs.tables import compare_tables
from repro.outputs.texts import compare_texts


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared, and how.

    Attributes:
        kind: As what; never "bytes".
        suffix: End of the file's name, which tells the format.
        baseline: File of the laptop.
        here: File of this run.
        absolute: See `repro.lock.ComparedOutput`, as the following.
        relative: Likewise.
        key: Likewise.
        sanitize: Likewise.
        picture: Where a side-by-side picture of figures goes, or None.
    """

    kind: OutputKind
    suffix: str
    baseline: Path
    here: Path
    absolute: float | None = None
    relative: float | None = None
    key: tuple[str, ...] = ()
    sanitize: bool = False
    picture: Path | None = None


def compare_contents(pair: Pair) -> Content:
    """Compare two files; one that can't be read makes the comparison "unread"."""
    for side, path in (("on the laptop", pair.baseline), ("here", pair.here)):
        size = path.stat().st_size
        if size > MOST_BYTES:
            return Content("unread", f"the file {side} has {size} bytes; contents are compared up to {MOST_BYTES}")
    try:
        return _COMPARERS[pair.kind](pair)
    except UnreadableError as error:
        return Content("unread", str(error))


def _tables(pair: Pair) -> Content:
    baseline = read_table(pair.baseline, pair.suffix)
    return compare_tables(baseline, read_table(pair.here, pair.suffix), _tolerance(pair), pair.key)


def _arrays(pair: Pair) -> Content:
    baseline = read_arrays(pair.baseline, pair.suffix)
    return compare_arrays(baseline, read_arrays(pair.here, pair.suffix), _tolerance(pair))


def _figures(pair: Pair) -> Content:
    return compare_figures(pair.baseline, pair.here, pair.absolute or 0.0, pair.picture)


def _texts(pair: Pair) -> Content:
    texts = [decoded(path.read_bytes()) for path in (pair.baseline, pair.here)]
    return compare_texts(*texts, sanitize=pair.sanitize, markup=pair.suffix in MARKUP)


def _tolerance(pair: Pair) -> Tolerance:
    return Tolerance(pair.absolute, pair.relative)


_COMPARERS: dict[OutputKind, Callable[[Pair], Content]] = {
    "table": _tables,
    "array": _arrays,
    "figure": _figures,
    "text": _texts,
}
