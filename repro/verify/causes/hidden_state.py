"""Rule `hidden-state`: stored outputs that no run from top to bottom gives."""

from collections.abc import Iterator

from repro.verify.causes.shown import code_cells, first_difference, source_of
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import cell
from repro.verify.model import Cause


def hidden_state(situation: Situation) -> Iterator[Cause]:
    """Only for baselines that are stored outputs: nobody has shown that they come from these cells."""
    if situation.lock.baseline.rerun or situation.stored is None:
        return
    counts = [one.get("execution_count") for one in code_cells(situation.stored) if source_of(one).strip()]
    ran = [count for count in counts if isinstance(count, int)]
    disorder = ran != list(range(1, len(ran) + 1)) or len(ran) < len(counts)
    first = None if situation.here.notebook is None else first_difference(situation.stored, situation.here.notebook)
    if not disorder and first is None:
        return
    shown = ", ".join("-" if count is None else str(count) for count in counts)
    yield Cause(
        rule="hidden-state",
        message="the notebook's stored outputs come from cells that ran in another order, more than once, or not at all"
        if disorder
        else "the notebook's stored outputs are not what it shows when it runs from top to bottom",
        laptop=f"execution counts {shown}" if disorder else first.baseline if first else "",
        here="from top to bottom" if disorder else first.other if first else "",
        where=cell(first.cell) if first else situation.lock.subject.path,
        confidence="likely",
        fix="Restart the kernel, run all cells, look at the numbers, and capture with a rerun (without --no-run).",
        evidence=(f"execution counts: {shown}",),
    )
