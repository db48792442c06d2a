"""Metrics as they are found: flattening of nested values, and one name from several places."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .documents import Failure, MeasuredMetric, Value, same_bits

MOST_DIGITS = 4000
"""Of a whole number: Python 3.11 and later refuse to write or read much longer ones."""

MLFLOW, TENSORBOARD, PRINTED = "mlflow:", "tensorboard:", "printed:"
"""What the sources of metrics begin with that yield: to files, tagged cells, displays and scraps, and to each other
in this order: printed, MLflow, TensorBoard."""

_YIELDING = (PRINTED, MLFLOW, TENSORBOARD)
_TOO_LARGE: int = 10**MOST_DIGITS


class TooLong:
    """Stands for a whole number in a file that has more than `MOST_DIGITS` digits."""


@dataclass(frozen=True)
class PrintedFloat:
    """A float that was read from text, and how many digits that has after the point, less its exponent."""

    value: float
    digits: int


@dataclass
class Found:
    """What was gathered so far.

    Attributes:
        metrics: In the order found; a name may occur more than once until `merge`.
        problems: What is wrong with a metric; any of them fails the evaluation.
        warnings: What a person should know.
    """

    metrics: list[MeasuredMetric] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any, source: str) -> None:
        """Take a value apart: mappings join their keys with dots, lists add [i]; what is no scalar is a problem.

        What files have beside numbers, nulls and dates, is no metric: one that should be is missed by its name.
        """
        if isinstance(value, (bool, int, float, str)):
            self.metrics.append(MeasuredMetric(name, value, source))
        elif isinstance(value, PrintedFloat):
            self.metrics.append(MeasuredMetric(name, value.value, source, value.digits))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.add(f"{name}.{key}" if name else str(key), item, source)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.add(f"{name}[{index}]", item, source)
        elif value is None:
            self.warnings.append(no_value(source, name, "null"))
        elif isinstance(value, (dt.date, dt.time)):
            self.warnings.append(f"{source}: {name} is a date or time, not a number, a bool or text: it was not taken")
        else:
            what = _LONG if isinstance(value, TooLong) else f"a {type(value).__name__}, not a number, a bool or text"
            self.problems.append(f"{source}: metric {name} is {what}")

    def extend(self, other: Found) -> None:
        """Append everything that `other` holds."""
        self.metrics += other.metrics
        self.problems += other.problems
        self.warnings += other.warnings


def no_value(source: str, name: str, called: str) -> str:
    """The warning about a name with nothing behind it, which is `called` null or None where it is from."""
    cure = "let the run compute it, or leave the name out"
    return f"{source}: {name} has no value ({called}), so it was not taken; {cure}"


@dataclass(frozen=True)
class Collected:
    """The metrics of an evaluation, each name once, or the failure that they are."""

    metrics: tuple[MeasuredMetric, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None


def merge(found: Found) -> Collected:
    """One metric a name: equal values from several sources are one, the first source's; different ones are a fault.

    They are only a warning where the later source yields, because that is a by-product or has fewer digits.
    Within one source the last value counts, as when a loop reports the same name again and again.
    """
    by_source: dict[tuple[str, str], MeasuredMetric] = {}
    problems, warnings = list(found.problems), list(found.warnings)
    for metric in found.metrics:
        fault = _fault(metric)
        if fault:
            (warnings if yields(metric.source) else problems).append(f"{metric.source}: {fault}")
        else:
            by_source[metric.name, metric.source] = metric
    merged: dict[str, MeasuredMetric] = {}
    for metric in sorted(by_source.values(), key=lambda metric: _rank(metric.source)):
        known = merged.setdefault(metric.name, metric)
        if not _agree(known.value, metric.value):
            two = f"{metric.name} is {known.value!r} in {known.source} but {metric.value!r} in {metric.source}"
            if yields(metric.source):
                warnings.append(f"{two}: the first counts")
            else:
                problems.append(two)
    if problems:
        return Collected((), tuple(warnings), metrics_failure(problems))
    return Collected(tuple(merged.values()), tuple(warnings))


def yields(source: str) -> bool:
    """Whether a source of metrics gives way to one that somebody declared."""
    return source.startswith(_YIELDING)


def left_out(name: str, globs: Iterable[str]) -> bool:
    """Whether an author leaves a metric out: `*` stands for anything, `?` for one character."""
    return any(_wild(glob).fullmatch(name) for glob in globs)


def _wild(glob: str) -> re.Pattern[str]:
    parts = (re.escape(part) if part not in "*?" else part.replace("*", ".*").replace("?", ".") for part in glob)
    return re.compile("".join(parts), re.DOTALL)


def _rank(source: str) -> int:
    return next((rank for rank, begin in enumerate(_YIELDING, start=1) if source.startswith(begin)), 0)


def metrics_failure(problems: Iterable[str]) -> Failure:
    """The failure for metrics that can't be taken as they are."""
    listed = tuple(problems)
    more = f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""
    return Failure("metrics", f"the metrics can't be read: {listed[0]}{more}", problems=listed)


_LONG = f"an int of more than {MOST_DIGITS} digits"


def _fault(metric: MeasuredMetric) -> str:
    """What no document could hold, or ""."""
    if not metric.name:
        return "a metric without a name"
    if not _writable(metric.name):
        return f"metric {metric.name!a} has a name that can't be written as UTF-8"
    if isinstance(metric.value, str) and not _writable(metric.value):
        return f"metric {metric.name!r} is text that can't be written as UTF-8"
    if isinstance(metric.value, int) and abs(metric.value) >= _TOO_LARGE:
        return f"metric {metric.name} is {_LONG}"
    return ""


def _writable(text: str) -> bool:
    """False for half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _agree(left: Value, right: Value) -> bool:
    """The same value; an int and a float that are equal are one number that two formats wrote."""
    numbers = type(left) in (int, float) and type(right) in (int, float)
    return same_bits(left, right) or (numbers and type(left) is not type(right) and left == right)
