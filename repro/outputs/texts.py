"""Texts side by side: the first line that differs, once what differs in every run is passed over."""

from repro.outputs.compare import first_line
from repro.outputs.model import Content, shown
from repro.outputs.sanitize import sanitized
from repro.words import count


def compare_texts(baseline: str, here: str, *, sanitize: bool, markup: bool = False) -> Content:
    """Compare two texts line by line; spaces at the ends of lines, and the kind of line ends, don't count.

    Args:
        baseline: Of the laptop.
        here: Of this run.
        sanitize: Whether addresses, times and the like are passed over (`repro.outputs.sanitize`).
        markup: Whether it is HTML or SVG.
    """
    left, right = (sanitized(text, markup=markup) if sanitize else text for text in (baseline, here))
    found = first_line(left, right)
    if found is None:
        passed = "but for what differs in every run" if sanitize else "but for spaces and line ends"
        return Content("same", f"the same text, {passed}")
    number, one, other = found
    lines = count(len(left.splitlines()), "line"), len(right.splitlines())
    sizes = f" ({lines[0]} on the laptop, {lines[1]} here)" if len(left.splitlines()) != lines[1] else ""
    return Content(
        "moved", f"differs from line {number} on{sizes}", (f"laptop: {shown(one)}", f"here:   {shown(other)}")
    )
