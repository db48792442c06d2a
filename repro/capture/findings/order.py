"""Rules about the order in which the author ran a notebook's cells, as its execution counts tell."""

from collections.abc import Iterator

from repro.capture.findings.model import Finding, Rule
from repro.capture.findings.source import Cell, Source
from repro.words import few

_MOST = 6


def _ran(source: Source) -> list[Cell]:
    return [cell for cell in source.cells if cell.count is not None and cell.runs]


def _out_of_order(source: Source) -> Iterator[Finding]:
    """Each cell that ran before, or in another session than, one above it; told once, at the first of them."""
    latest: Cell | None = None
    early: list[tuple[Cell, Cell]] = []
    for cell in _ran(source):
        if latest is not None and (cell.count or 0) <= (latest.count or 0):
            early.append((cell, latest))
        else:
            latest = cell
    if not early:
        return
    cell, above = early[0]
    also = [str(other.number) for other, _ in early[1:]]
    more = f"; so {'were cells' if len(also) > 1 else 'was cell'} {_listed(also)}" if also else ""
    yield Finding(
        OUT_OF_ORDER.name,
        "warning",
        source.place(cell),
        f"its author ran it (In [{cell.count}]) before cell {above.number} (In [{above.count}]), or in another session"
        f"{more}",
        "Restart the kernel, run all cells from the top, look at the results again and save.",
    )


def _not_from_top(source: Source) -> Iterator[Finding]:
    """Counts that rise, but not by one: cells were run twice, left out, or deleted after they ran."""
    ran = _ran(source)
    counts = [cell.count or 0 for cell in ran]
    if not ran or counts != sorted(set(counts)):
        return  # nothing was run, or it is out of order anyhow
    left = [cell for cell in source.cells if cell.runs and cell.count is None]
    cure = "Restart the kernel, run all cells from the top and save."
    if left:
        names = _listed([str(cell.number) for cell in left])
        what = f"cells that were not run when the notebook was saved: {names}"
        yield Finding(NOT_FROM_TOP.name, "note", source.place(left[0]), what, cure)
    expected = iter(range(1, len(ran) + 1))
    jump = next((cell for cell in ran if cell.count != next(expected)), None)
    if jump is not None:
        before, left_above = (jump.count or 1) - 1, ran.index(jump)
        what = (
            f"the author's session had run {_cells(before)} before this one, and {_cells(left_above)} that ran "
            f"{'is' if left_above == 1 else 'are'} left above it: some were run twice, or deleted since"
        )
        yield Finding(NOT_FROM_TOP.name, "note", source.place(jump), what, cure)


def _cells(count: int) -> str:
    return f"{count or 'no'} {'cell' if count == 1 else 'cells'}"


def _listed(names: list[str]) -> str:
    return few(names, _MOST)


OUT_OF_ORDER = Rule(
    "out-of-order",
    "warning",
    "Cells were run in another order than they stand in",
    "The execution counts that the notebook was saved with don't rise from top to bottom. The numbers that its author "
    "saw may come from an order that a rerun, which goes from the top, doesn't repeat. Restart the kernel, run "
    "everything, and save.",
    _out_of_order,
)
NOT_FROM_TOP = Rule(
    "not-from-top",
    "note",
    "The saved notebook was not run once from the top",
    "The execution counts rise, but have gaps: cells were run more than once, left out, or deleted after they ran. "
    "What they did may be part of the results that the author saw. Restart the kernel, run everything, and save.",
    _not_from_top,
)
