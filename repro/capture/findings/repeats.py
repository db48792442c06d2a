"""The rule about runs that differ from each other: one finding each for metrics, outputs, files and failures."""

from collections.abc import Iterable, Iterator, Sequence

from repro.capture.findings.model import Finding, Rule, Run
from repro.capture.findings.source import Place, Source
from repro.capture.runs.model import Repeats, Spread
from repro.words import few

NAME = "not-deterministic"

_MOST = 5
_CURE = (
    "Seed what draws, sort what has no order, keep what is fetched; where that can't be, give the metric a tolerance "
    "in repro.toml, [metrics.policy.NAME]"
)


def _settle(source: Source, _: tuple[Finding, ...], run: Run) -> Iterator[Finding]:
    """What differs between the runs; nothing where all agree, or where there was only one."""
    repeats = run.repeats
    if repeats is None:
        return
    because = f"; likely because {', or '.join(repeats.causes)}" if repeats.causes else ""
    for number, what in enumerate(_differences(repeats)):
        yield Finding(NAME, "warning", _place(source, repeats), what + ("" if number else because), _CURE)
    if repeats.kept_changes:
        changed = _listed(repeats.kept_changes)
        what = (
            f"every run changes {changed} in place, too large to be put back: the later runs found what the first left"
        )
        yield Finding(NAME, "note", Place(source.path), what, "Write to a new file")


def _place(source: Source, repeats: Repeats) -> Place:
    """The first cell that shows something else."""
    number = None if repeats.cell is None else repeats.cell.cell
    cell = next((cell for cell in source.cells if cell.number == number), None)
    return Place(source.path, number) if cell is None or number is None else source.place(cell)


def _spread(spread: Spread) -> str:
    """A metric that moved: its values in order, and how far they lie apart."""
    values = ", ".join("none" if one is None else str(one) for one in spread.values)
    return f"{spread.name} {values}" + ("" if not spread.width else f" (apart by {spread.width:.3g})")


def _differences(repeats: Repeats) -> Iterator[str]:
    """The gravest first."""
    for failure in repeats.failures:
        yield f"a run from the same files fails: {failure}"
    moved = repeats.moved
    if moved:
        yield f"{len(moved)} of {len(repeats.metrics)} metrics differ from run to run: " + _listed(
            [_spread(one) for one in moved], "; "
        )
    if repeats.cell is not None:
        yield _shown(repeats)
    if repeats.files:
        yield f"files that it writes differ from run to run: {_listed(repeats.files)}"


def _shown(repeats: Repeats) -> str:
    cell = repeats.cell
    assert cell is not None  # noqa: S101 - for the type checker
    where = cell.kind if cell.line is None else f"{cell.kind}, line {cell.line}"
    title = f" ({cell.title})" if cell.title else ""
    more = "" if repeats.cells < 2 else f"; {repeats.cells - 1} more after it"  # noqa: PLR2004 - this cell and another
    what = "is the first cell that" if cell.cell else "it"
    return f"{what} shows something else in another run{title}: {where}: {cell.baseline!r}, then {cell.other!r}{more}"


def _listed(names: Sequence[str], between: str = ", ") -> str:
    return few(names, _MOST, between)


def _nothing(_: Source) -> Iterable[Finding]:
    """A source alone doesn't tell."""
    return ()


NOT_DETERMINISTIC = Rule(
    NAME,
    "warning",
    "Two runs differ",
    "With `--runs N` the subject runs N times from the same files, and a later run reported other metrics, showed "
    "other outputs, wrote other files, or failed. The lock holds the first run's values, and a rerun in the image is "
    "held to them. Find what the runs don't share: random numbers without a seed, the clock, the network, the order of "
    "a set or of the files in a folder, sums over several threads. Where it has to stay, give the metric a tolerance.",
    _nothing,
    _settle,
)
