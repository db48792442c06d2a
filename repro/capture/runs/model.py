"""What several runs of the same work showed. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from repro.outputs.compare import OutputDifference
from repro.runner.documents import MeasuredMetric, Value, same_bits


@dataclass(frozen=True, slots=True)
class Spread:
    """One metric over all runs.

    Attributes:
        name: The metric.
        values: What each run reported, the baseline first; None where a run didn't report it.
    """

    name: str
    values: tuple[Value | None, ...]

    @property
    def same(self) -> bool:
        """Whether every run reported the same type and the same bits."""
        first = self.values[0]
        return all(one is not None and first is not None and same_bits(first, one) for one in self.values)

    @property
    def width(self) -> float | None:
        """Largest less smallest value, in the metric's unit; None where one is no number."""
        numbers = [one for one in self.values if isinstance(one, int | float) and not isinstance(one, bool)]
        return max(numbers) - min(numbers) if len(numbers) == len(self.values) else None


@dataclass(frozen=True, slots=True)
class Repeats:
    """How the runs after the first one differ from it.

    Attributes:
        runs: How many there were, with the first.
        metrics: Each metric that any run reported, in the order reported.
        cell: The first place where a later run shows something else; None where all show the same.
        cells: How many code cells show something else in some run.
        files: Project files that the runs write with different content, or that not every run writes, sorted.
        failures: Why a later run didn't end well, such as `run 2: cell 4: …`.
        causes: What may be the reason, the most likely first.
        kept_changes: Files that every run changes in place and that are too large to be put back between them.
    """

    runs: int
    metrics: tuple[Spread, ...]
    cell: OutputDifference | None = None
    cells: int = 0
    files: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    kept_changes: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[Spread, ...]:
        """Metrics that are not the same in every run."""
        return tuple(one for one in self.metrics if not one.same)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.moved or self.cell or self.files or self.failures)


def spreads(runs: Sequence[Sequence[MeasuredMetric]]) -> tuple[Spread, ...]:
    """Each metric over all runs; a name that one run reports twice counts with its last value."""
    values = [{metric.name: metric.value for metric in run} for run in runs]
    names = dict.fromkeys(name for run in values for name in run)
    return tuple(Spread(name, tuple(run.get(name) for run in values)) for name in names)
