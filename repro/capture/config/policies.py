"""The table `[metrics.policy]` → `MetricPolicy`. Faults are gathered in the table, with their paths."""

import math
from collections.abc import Iterator

from repro.capture.config.model import MetricPolicy
from repro.lock import Gates, Tolerance
from repro.lock.table import Table

_DISTANCES = ("absolute", "relative", "ulp")


def read_policies(table: Table) -> Iterator[tuple[str, MetricPolicy]]:
    """(metric, policy) of each table in it."""
    for name in table.keys():  # noqa: SIM118 - a Table is not a mapping
        yield name, _policy(table.table(name))


def _policy(table: Table) -> MetricPolicy:
    policy = MetricPolicy(
        direction=table.optional_choice("direction", ("higher", "lower")),
        tolerance=_tolerance(table),
        accept_improvement=table.flag("accept-improvement", default=False),
        gates=_gates(table),
    )
    if policy.accept_improvement and policy.direction is None:
        table.fault("accept-improvement", "needs a direction: which way is better?")
    return policy


def _tolerance(table: Table) -> Tolerance | None:
    """What the author says; None where that is nothing."""
    exact, band = table.flag("exact", default=False), table.flag("band", default=False)
    faults = len(table.problems)
    samples = table.optional_size("samples")
    if samples == 0 and len(table.problems) == faults:
        table.fault("samples", "must be at least 1")
    tolerance = Tolerance(
        absolute=table.optional_positive("absolute"),
        relative=table.optional_positive("relative"),
        ulp=table.optional_size("ulp"),
        samples=samples,
        flips=table.optional_size("flips") or 0,
        band=band,
    )
    if table.has("flips") and samples is None:
        table.fault("flips", "needs samples: how many there are")
    elif samples and tolerance.flips >= samples:
        table.fault("flips", "must be less than samples: anything would pass")
    distances = [key for key in _DISTANCES if table.has(key)]
    ways = [key for key, said in (("exact", exact), ("band", band), ("samples", table.has("samples"))) if said]
    ways += distances[:1]
    if len(ways) > 1:
        table.fault(ways[0], f"can't be combined with {' or '.join(ways[1:])}")
    return tolerance if ways else None


def _gates(table: Table) -> Gates:
    gates = Gates(table.optional_number("min"), table.optional_number("max"))
    for key, limit in (("min", gates.minimum), ("max", gates.maximum)):
        if limit is not None and not math.isfinite(limit):
            table.fault(key, "must be a finite number")
    if gates.minimum is not None and gates.maximum is not None and gates.minimum > gates.maximum:
        table.fault("min", "is above max: nothing passes")
    return gates
