"""Several runs of one image: what differs between them, and whether a metric moved or is merely not the same twice.

Nothing widens itself: a metric passes where each run passes. Only where the lock has the spread of the laptop's own
runs (`band`) does a test on both samples decide.
"""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.outputs.compare import OutputDifference, output_differences, text_difference
from repro.runner.distances import CONFIDENCE, is_number, student_t
from repro.runner.documents import ExpectedMetric, MeasuredMetric, Value, same_bits
from repro.runner.notebook import EXECUTED
from repro.runner.script import LOG_FILE
from repro.verify.model import MetricRuns, RunsSummary

POWER = 0.9
"""How often a shift of the size that is stated would have been seen."""
_LARGEST = 1e150  # whose square is a float
_SAMPLE = 2  # runs that make a spread
_HUNDRED = 100

Shown = Mapping[str, Any] | str | None
"""What a run showed: its executed notebook, what its script printed, or nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Welch's unequal-variances t-test (Biometrika 34, 1947) between the laptop's runs and these.

    Attributes:
        distance: Mean here less mean there, in the metric's unit.
        limit: The largest distance that chance alone explains, with `CONFIDENCE`.
        smallest: The smallest shift that would have gone beyond it in a share `POWER` of such verifications.
    """

    distance: float
    limit: float
    smallest: float

    @property
    def seen(self) -> bool:
        """Whether the distance is more than chance explains."""
        return abs(self.distance) > self.limit


def shift(laptop: Sequence[float], here: Sequence[float]) -> Shift:
    """Compare two samples of runs, each of two runs or more."""
    parts = [statistics.variance(sample) / len(sample) for sample in (laptop, here)]
    error = math.sqrt(math.fsum(parts))
    shares = math.fsum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (laptop, here), strict=True))
    freedom = max(1, int(math.fsum(parts) ** 2 / shares)) if shares else len(laptop) + len(here) - 2
    return _shift(statistics.fmean(here) - statistics.fmean(laptop), error, freedom)


def shift_of_one(laptop: float, here: Sequence[float]) -> Shift:
    """Compare a single value of the laptop with a sample: the prediction interval for one further observation."""
    error = statistics.stdev(here) * math.sqrt(1 + 1 / len(here))
    return _shift(statistics.fmean(here) - laptop, error, len(here) - 1)


def _shift(distance: float, error: float, freedom: int) -> Shift:
    critical, powered = student_t(freedom, CONFIDENCE), student_t(freedom, 2 * POWER - 1)
    return Shift(distance, critical * error, (critical + powered) * error)


def summarize_runs(
    expected: Sequence[ExpectedMetric], runs: Sequence[Sequence[MeasuredMetric]], shown: Sequence[Shown]
) -> RunsSummary:
    """What several runs of one image measured and showed.

    Args:
        expected: The lock's metrics.
        runs: What each run reported.
        shown: What each run showed (`read_shown`).
    """
    measured = [{metric.name: metric.value for metric in run} for run in runs]
    known = {metric.name: metric for metric in expected}
    names = dict.fromkeys([*sorted(known), *sorted({name for run in measured for name in run} - known.keys())])
    series = [_series(name, known.get(name), [run.get(name) for run in measured]) for name in names]
    return RunsSummary(len(runs), tuple(series), cell=_first_difference(shown))


def read_shown(collected: Path | None) -> Shown:
    """What a run left of what it showed; None where that is missing or garbled, as another's container may leave it."""
    if collected is None:
        return None
    try:
        if (collected / EXECUTED).is_file():
            notebook = json.loads((collected / EXECUTED).read_bytes())
            return notebook if isinstance(notebook, dict) else None
        return (collected / LOG_FILE).read_text("utf-8", errors="replace")
    except (OSError, ValueError, RecursionError):
        return None


def differing(summary: RunsSummary) -> tuple[str, ...]:
    """Names of the metrics that are not the same in every run here."""
    return tuple(one.name for one in summary.metrics if not _same(one.values))


def _series(name: str, metric: ExpectedMetric | None, values: Sequence[Value | None]) -> MetricRuns:
    baseline: tuple[Value, ...] = () if metric is None else metric.band or (metric.value,)
    return MetricRuns(name, baseline, tuple(values), _statement(baseline, values))


def _statement(baseline: Sequence[Value], values: Sequence[Value | None]) -> str:
    count = len(values)
    if any(value is None for value in values):
        missing = sum(value is None for value in values)
        return f"missing in {missing} of {count} runs" if missing < count else f"missing in all {count} runs"
    if _same(values):
        if not baseline:
            return f"the same bits in all {count} runs"
        as_there = _same([baseline[0], *values])
        return f"the same bits in all {count} runs, {'as' if as_there else 'other ones than'} on the laptop"
    here, there = finite(values), finite(baseline)
    if here is None or there is None or not there:
        return f"not the same in every run: {', '.join(dict.fromkeys(map(str, values)))}"
    return _tested(there, here)


def _tested(laptop: Sequence[float], here: Sequence[float]) -> str:
    mean, deviation = statistics.fmean(here), statistics.stdev(here)
    spread = f"not the same in every run: {mean:.6g} ± {_short(deviation)} in {len(here)} runs"
    if len(laptop) >= _SAMPLE:
        found = shift(laptop, here)
        test = f"Welch's t-test against {len(laptop)} runs on the laptop ({CONFIDENCE * 100:g} %)"
    else:
        found = shift_of_one(laptop[0], here)
        test = f"against the laptop's one value by the {CONFIDENCE * 100:g} % prediction interval"
    result = "beyond chance" if found.seen else "within chance"
    power = f"a shift of {_short(found.smallest)} would have been seen in {POWER * 100:g} % of cases"
    return f"{spread}; {test}: {_short(found.distance, '+')} is {result} (limit {_short(found.limit)}); {power}"


def _short(number: float, sign: str = "") -> str:
    """Two digits of it, or all of those before the point."""
    return format(number, f"{sign}.0f" if _HUNDRED <= abs(number) < _HUNDRED**3 else f"{sign}.2g")


def finite(values: Sequence[Value | None]) -> list[float] | None:
    """All of them as floats; None where one isn't a finite number."""
    numbers = [value for value in values if value is not None and is_number(value)]
    small = all(abs(value) <= _LARGEST for value in numbers)  # type: ignore[arg-type] # numbers; NaN isn't small
    return [float(value) for value in numbers] if len(numbers) == len(values) and small else None


def _same(values: Sequence[Value | None]) -> bool:
    first = values[0]
    if first is None:
        return all(one is None for one in values)
    return all(one is not None and same_bits(first, one) for one in values)


def _first_difference(shown: Sequence[Shown]) -> str:
    first, *others = shown
    found = [one for other in others for one in _differences(first, other)]
    return "" if not found else _told(min(found, key=lambda one: one.cell or 0))


def _differences(one: Shown, other: Shown) -> Iterator[OutputDifference]:
    if isinstance(one, str) and isinstance(other, str):
        found = text_difference(one, other)
        if found is not None:
            yield found
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        try:
            yield from output_differences(one, other)
        except (KeyError, TypeError, AttributeError):
            return  # no notebook that the runner writes


def _told(found: OutputDifference) -> str:
    place = "the output" if found.cell is None else f"cell {found.cell} ({found.kind})"
    line = "" if found.line is None else f", line {found.line}"
    return f"{place}{line}: {found.baseline!r}, then {found.other!r}"
