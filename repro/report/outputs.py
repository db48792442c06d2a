"""The outputs of a verdict for a person at a terminal: which differ, where, and by how much."""

from collections.abc import Iterator, Sequence

from repro.outputs.model import OutputComparison
from repro.report.style import Mark, Style


def output_lines(outputs: Sequence[OutputComparison], style: Style) -> list[str]:
    """Each output with its rule and what was found, and below it where it differs; nothing without any."""
    lines = [line for output in outputs for line in _output(output, style)]
    return [style.paint("  outputs", "dim"), *lines] if lines else []


def _output(output: OutputComparison, style: Style) -> Iterator[str]:
    rule = "" if output.status == "same" else f" ({output.rule})"
    yield from style.wrap(f"{output.name}: {output.summary}{rule}", f"{style.mark(_mark(output))} ", lead=2)
    for line in output.details:
        indent = len(line) - len(line.lstrip())
        yield from style.wrap(line.strip(), " " * (4 + indent))
    if output.picture:
        yield from style.wrap(f"side by side in the evidence: {output.picture}", "    ")


def _mark(output: OutputComparison) -> Mark:
    if not output.passed:
        return "bad"
    return "ok" if output.status in ("same", "within") else "warn"
