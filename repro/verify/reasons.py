"""A comparison and its gates in words: the verdict's reason and cure, and what should be seen beside them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from repro.engines.model import RunOutcome
from repro.lock import Lock
from repro.runner import compare as rules
from repro.runner.compare import Comparison
from repro.runner.documents import Value
from repro.runner.gates import GateResult, gate_text
from repro.verify.model import Finding, Outcome
from repro.words import count


def reason_and_cure(
    outcome: Outcome, comparisons: Sequence[Comparison], gates: Sequence[GateResult]
) -> tuple[str, str | None]:
    """One sentence that says why a run that ended well came to this outcome, and what to do about it."""
    compared = [item for item in comparisons if item.status != rules.EXTRA]
    missing = {item.name for item in compared if item.status == rules.MISSING}
    failed = [gate_text(gate) for gate in gates if not gate.passed and gate.metric not in missing]
    if outcome is Outcome.NOT_COMPARABLE:
        return _not_comparable(compared, failed)
    if outcome is Outcome.VERIFIED:
        return _agreement(compared), None
    moved = _moved(compared)
    if moved:
        number = f"{len(moved)} of {count(len(compared), 'metric')} moved: {', '.join(moved)}"
        better = all(item.passed or item.status == rules.IMPROVED for item in compared)
        cure = _BETTER if better else _MOVED
        return "; ".join([number, *failed]), f"{cure} {_GATES}" if failed else cure
    return f"{_agreement(compared)}, but {'; '.join(failed)}", _UNDER_A_GATE


_MOVED = (
    "`repro explain IMAGE --prove` shows by experiment what moves it; if the difference is harmless, "
    "allow it with a tolerance in repro.toml and capture again."
)
_BETTER = (
    "Make sure that it is neither leakage nor other data. If it is better indeed, capture again, or let improvements "
    "pass with accept-improvement = true in repro.toml, and capture again."
)
_GATES = "Where a gate isn't kept, change the model or the gate."
_UNDER_A_GATE = (
    "The image does what the laptop did; the model isn't as good as its gate asks. Change the model, "
    "or the gate in repro.toml, and capture again."
)


def remarks(lock: Lock, comparisons: Sequence[Comparison], run: RunOutcome) -> Iterator[Finding]:
    """What doesn't decide but should be seen."""
    if run.oom_killed:
        yield Finding("memory", "warning", "a process of the evaluation was killed for want of memory")
    yield from metric_remarks(comparisons, {one.name: by_interval(len(one.band)) for one in lock.metrics if one.band})


def metric_remarks(comparisons: Sequence[Comparison], judges: Mapping[str, str]) -> Iterator[Finding]:
    """The same of metrics alone, all of the kinds `METRIC_KINDS`.

    Args:
        comparisons: All of them.
        judges: By what those with a band are judged, in words.
    """
    yield from _extra([item.name for item in comparisons if item.status == rules.EXTRA])
    for item in comparisons:
        if item.status == rules.IMPROVED:
            yield Finding(
                "improved",
                "warning",
                f"{item.name} is better than the baseline, and nothing says why: make sure it isn't leakage",
            )
        elif item.status == rules.SAME and _is_nan(item.measured):
            yield Finding("nan", "warning", f"{item.name} is NaN, here as on the laptop: NaN equals NaN")
        if item.name in judges:
            what = f"{item.name} is not deterministic: it is judged by {judges[item.name]}"
            yield Finding("band", "info", what, (f"band: {item.rule}",))


METRIC_KINDS = frozenset({"extra", "improved", "nan", "band"})


def by_interval(runs: int) -> str:
    """What judges a metric with a band from so many runs."""
    return f"the 99 % prediction interval of {runs} runs on the laptop"


def _extra(names: Sequence[str]) -> Iterator[Finding]:
    if len(names) == 1:
        yield Finding("extra", "warning", f"{names[0]} is not in the lock: nothing to compare it with")
    elif names:
        message = f"{len(names)} metrics are not in the lock: nothing to compare them with"
        yield Finding("extra", "warning", message, tuple(names))


def _agreement(compared: Sequence[Comparison]) -> str:
    same = sum(item.status == rules.SAME for item in compared)
    if same == len(compared):
        return f"{count(same, 'metric')} as on the laptop, bit for bit"
    return f"{count(len(compared), 'metric')} as on the laptop: {same} bit for bit, the others as tolerated"


def _not_comparable(compared: Sequence[Comparison], failed: Sequence[str]) -> tuple[str, str | None]:
    if not compared:
        return "the lock has no metric, so there is nothing to compare", "Capture again with a metric to compare."
    missing = [item.name for item in compared if item.status == rules.MISSING]
    typed = [item for item in compared if item.status == rules.TYPE]
    parts = [f"{', '.join(missing)} missing"] if missing else []
    parts += [f"{item.name} is {_type(item.measured)} instead of {_type(item.baseline)}" for item in typed]
    moved = _moved(compared)
    parts += [f"{', '.join(moved)} moved"] if moved else []
    return "; ".join(
        [*parts, *failed]
    ), "The evaluation must report every metric of the lock, with the same type, in every run."


def _moved(compared: Iterable[Comparison]) -> list[str]:
    return [item.name for item in compared if not item.passed and item.status in (rules.MOVED, rules.IMPROVED)]


def _type(value: Value | None) -> str:
    return type(value).__name__


def _is_nan(value: Value | None) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 - what makes a NaN
