"""What surrounds a run, what it is judged by, and what is only told: environment, policy, metrics, evidence."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from repro.differ.model import Change, kind_of
from repro.differ.state import State
from repro.lock import ComparedOutput, Lock, Metric

_UNITS = {"timeout": "seconds", "cell-timeout": "seconds", "memory": "bytes"}
_NO_RULES = frozenset({"name", "value", "path", "sha256", "size"})
_MOST = 6


def environment_changes(before: State, after: State) -> Iterator[Change]:
    """Threads, time zone, locale and variables that are set for a run."""
    if "variables" in {*before.unknown, *after.unknown}:
        return
    old, new = before.lock.environment, after.lock.environment
    yield from _settings(
        {"threads": str(old.threads), "time zone": old.timezone, "locale": old.locale},
        {"threads": str(new.threads), "time zone": new.timezone, "locale": new.locale},
        "setting",
    )
    yield from _settings(old.variables, new.variables, "variable")


def metric_changes(before: State, after: State) -> Iterator[Change]:
    """Baselines, how they are judged, and the limits of a run."""
    old, new = ({one.name: one for one in state.lock.metrics} for state in (before, after))
    values = "values" not in {*before.unknown, *after.unknown}
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            yield Change(name, kind_of(was, now), "metric", _value(was), _value(now))
            continue
        if values and _value(was) != _value(now):
            yield Change(name, "changed", "value", _value(was), _value(now), details=_distance(was, now))
        rules = _settings(_rules(was), _rules(now), "rule", name)
        yield from rules
    yield from _outputs(before.lock, after.lock, values=values)
    yield from _settings(_policy(before.lock), _policy(after.lock), "policy")


def _outputs(before: Lock, after: Lock, *, values: bool) -> Iterator[Change]:
    """Files that the run writes and that a rerun is held to."""
    old, new = ({one.path: one for one in lock.compared} for lock in (before, after))
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        if was is None or now is None:
            yield Change(path, kind_of(was, now), "output", moves=False)
            continue
        if values and was.sha256 != now.sha256:
            yield Change(path, "changed", "output", was.sha256.short, now.sha256.short)
        yield from _settings(_rules(was), _rules(now), "rule", path)


def evidence_changes(before: State, after: State) -> Iterator[Change]:
    """What no number depends on."""
    skipped = {*before.unknown, *after.unknown}
    old, new = _evidence(before.lock), _evidence(after.lock)
    left = {name for name in old if name not in skipped}
    yield from _settings(
        {name: value for name, value in old.items() if name in left},
        {name: value for name, value in new.items() if name in left},
        "evidence",
        moves=False,
    )
    if "modules" not in skipped:
        yield from _modules(before.lock, after.lock)


def _settings(
    old: Mapping[str, str], new: Mapping[str, str], aspect: str, of: str = "", *, moves: bool | None = None
) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        was, now = old.get(name, ""), new.get(name, "")
        if was != now:
            effect = aspect in {"setting", "variable"} if moves is None else moves
            yield Change(f"{of} {name}".strip(), kind_of(was, now), aspect, was, now, moves=effect)


def _value(metric: Metric | None) -> str:
    return "" if metric is None else repr(metric.value)


def _distance(was: Metric, now: Metric) -> tuple[str, ...]:
    """How far two numbers are apart."""
    if not (isinstance(was.value, float) and isinstance(now.value, float)) or not was.value:
        return ()
    distance = now.value - was.value
    return (f"difference {distance:+.3g}, {abs(distance / was.value):.2g} of it",)


def _rules(held: Metric | ComparedOutput) -> dict[str, str]:
    """Everything of a metric or an output but what it is, by name: new rules are told without a change here."""
    return {name: text for name, text in _flat(held) if name not in _NO_RULES}


def _flat(value: Any) -> Iterator[tuple[str, str]]:
    """The fields of a dataclass, and of those in it, as text; those that say nothing are empty."""
    for one in fields(value):
        content = getattr(value, one.name)
        if is_dataclass(content):
            yield from _flat(content)
        else:
            yield one.name.replace("_", "-"), "" if content == one.default else _text(content)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _policy(lock: Lock) -> dict[str, str]:
    """Limits and permissions, by name; new ones are told without a change here."""
    return {name: f"{text} {_UNITS[name]}" if text and name in _UNITS else text for name, text in _flat(lock.policy)}


def _evidence(lock: Lock) -> dict[str, str]:
    revision, image = lock.evidence.revision, lock.image
    return {
        "platforms": ", ".join(lock.targets),
        "indexes": ", ".join(sorted({one.source for one in lock.packages if one.origin == "index"})),
        "baseline": "rerun" if lock.baseline.rerun else "stored outputs, unproven",
        "outputs": ", ".join(lock.outputs),
        "runner": f"repro {lock.runner.version}, {lock.runner.sha256.short}",
        "runner's packages": _runner_packages(lock),
        "layers": ", ".join(filter(None, (image.encoding, f"bytecode {image.bytecode}", *(image.compiled or ())))),
        "commit": "" if revision is None else revision.commit,
        "branch": "" if revision is None else revision.branch or "",
        "repository": "" if revision is None else revision.remote or "",
        "not committed": "" if revision is None else ", ".join(revision.changed),
        "submodules": "" if revision is None else ", ".join(f"{k} {v}" for k, v in revision.submodules.items()),
    }


def _runner_packages(lock: Lock) -> str:
    return ", ".join(f"{one.name} {one.version}" for one in lock.runner.packages)


def _modules(old: Lock, new: Lock) -> Iterator[Change]:
    """Which modules a run imported: what changed says which paths it took."""
    came = _named(new, old)
    gone = _named(old, new)
    if came or gone:
        before, after = (", ".join(names[:_MOST]) + _more(names) for names in (gone, came))
        yield Change("imported modules", "changed", "modules", before, after, moves=False)


def _named(one: Lock, other: Lock) -> list[str]:
    every = {name for names in other.modules.values() for name in names}
    return sorted({name for names in one.modules.values() for name in names} - every)


def _more(names: list[str]) -> str:
    return f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
