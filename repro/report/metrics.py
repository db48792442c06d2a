"""The table of metrics: one line each where the screen is wide enough, else two. Values always in full."""

from collections.abc import Sequence

from repro.report.style import Style, printable
from repro.runner import compare as rules
from repro.runner.compare import Comparison
from repro.runner.documents import Value
from repro.runner.report import difference_text, flips_text

_HEADINGS = ("metric", "baseline", "measured", "difference", "tolerance", "verdict")
_WORDS = {rules.TYPE: "other type", rules.EXTRA: "not in the lock"}
_LONGEST_TEXT = 32
_NEAR = 1000
"""Up to so many floats between two values, their number says more than the difference."""
_GAP = "  "
_NOTHING = "—"


def metrics_table(comparisons: Sequence[Comparison], style: Style) -> list[str]:
    """The comparisons as lines of text."""
    rows = [_cells(item, style) for item in comparisons]
    marks = [_mark(item, style) for item in comparisons]
    widths = [max(len(cell) for cell in column) for column in zip(_HEADINGS, *rows, strict=True)]
    wide = 2 + sum(widths) + len(_GAP) * (len(widths) - 1) <= style.width
    lines = (_one_line_each if wide else _two_lines_each)(rows, marks, widths, style)
    return lines + _remarks(comparisons, style)


def value_text(value: Value | None) -> str:
    """A value in full; texts in quotes, cut when they are long."""
    if value is None:
        return _NOTHING
    text = printable(repr(value))
    return text if not isinstance(value, str) or len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 2]}…'"


def verdict_word(item: Comparison) -> str:
    """How a comparison ended, in a word or two."""
    better = item.status == rules.IMPROVED and not item.passed
    return "moved, better" if better else _WORDS.get(item.status, item.status)


def rule_cell(item: Comparison) -> str:
    """The tolerance in words."""
    return _NOTHING if item.status == rules.EXTRA else item.rule


def remark(item: Comparison) -> str:
    """What the difference means: samples that came out otherwise, or how few floats lie between; "" for nothing."""
    if item.status == rules.SAME:
        return ""
    if item.samples and item.flips is None and item.status in (rules.MOVED, rules.IMPROVED):
        return f"{value_text(item.measured)} is no whole number of {item.samples} samples"
    near = item.ulps if item.ulps is not None and item.ulps <= _NEAR else 0
    return flips_text(item) or (f"{near} ulp apart" if near else "")


def _cells(item: Comparison, style: Style) -> tuple[str, ...]:
    values = (value_text(item.baseline), value_text(item.measured), difference_text(item))
    cells = (item.name, *values, rule_cell(item), verdict_word(item))
    return tuple(style.text(cell) for cell in cells)


def _remarks(comparisons: Sequence[Comparison], style: Style) -> list[str]:
    """Lines below the table."""
    told = [(item, remark(item)) for item in comparisons]
    return [line for item, text in told if text for line in style.wrap(f"{item.name}: {text}", "  ")]


def _mark(item: Comparison, style: Style) -> str:
    if item.status == rules.EXTRA:
        return style.mark("info")
    return style.mark("ok" if item.passed else "bad")


def _one_line_each(
    rows: Sequence[tuple[str, ...]], marks: Sequence[str], widths: Sequence[int], style: Style
) -> list[str]:
    lines = [style.paint(_GAP + _aligned(_HEADINGS, widths), "dim")]
    return lines + [f"{mark} {_aligned(row, widths)}" for mark, row in zip(marks, rows, strict=True)]


def _two_lines_each(
    rows: Sequence[tuple[str, ...]], marks: Sequence[str], widths: Sequence[int], style: Style
) -> list[str]:
    """The name with what came of it, and below it the numbers."""
    right = widths[4:]
    name = max(min(widths[0], style.width - 2 - sum(right) - 2 * len(_GAP)), len(_HEADINGS[0]))
    upper = (name, *right)

    def above(cells: Sequence[str]) -> str:
        return _aligned((cells[0], *cells[4:]), upper)

    def below(cells: Sequence[str]) -> str:
        return "    " + _aligned(cells[1:4], widths[1:4])

    lines = [style.paint(_GAP + above(_HEADINGS), "dim"), style.paint(below(_HEADINGS), "dim")]
    for mark, row in zip(marks, rows, strict=True):
        lines += [f"{mark} {above(row)}", below(row)]
    return lines


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
