"""The rule about the time of day. Clocks that only measure how long something took are left alone."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from repro.capture.findings.model import Finding, Rule
from repro.capture.findings.names import Names, learn
from repro.capture.findings.random_calls import POOLS
from repro.capture.findings.source import Source

_CLOCKS = frozenset(
    {
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        *("time.time", "time.time_ns", "time.ctime", "time.localtime", "time.gmtime", "time.asctime"),
        "time.strftime",
        *("pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow"),
        *("arrow.now", "arrow.utcnow", "pendulum.now", "pendulum.today"),
    }
)
_BARE = {"time.ctime": 1, "time.localtime": 1, "time.gmtime": 1, "time.asctime": 1, "time.strftime": 2}
"""They take the time of day only with fewer arguments than this."""
_DAYS = frozenset(
    {
        *("datetime.date.today", "pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow"),
        *("pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64"),
    }
)
"""Clocks that people ask for the date: what is subtracted from these, if it is no clock, is rather data."""
_DATES = frozenset(
    {
        *("datetime.datetime", "datetime.date", "pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64"),
        *("datetime.datetime.strptime", "datetime.datetime.fromisoformat", "datetime.date.fromisoformat"),
        *("datetime.datetime.fromtimestamp", "os.path.getmtime", "os.path.getctime"),
    }
)
"""Calls that give a time that is no start of anything measured here."""
_PARSERS = frozenset({"numpy.datetime64", "pandas.Timestamp", "pandas.to_datetime"})
_SEEDERS = frozenset(seeder for pool in POOLS for seeder in pool.seeders) | {"numpy.random.default_rng"}
_SEEDS = {"random_state", "seed", "random_seed"}

Stored = dict[str, list[ast.expr]]
"""What assignments give to each name."""


def _check(source: Source) -> Iterator[Finding]:
    names, stored = learn(source), _stored(source)
    seeds, spans = _seeding(source, names, stored), _spans(source, names, stored)
    for cell, call in source.calls():
        if not _reads_clock(names, call):
            continue
        place, shown = source.place(cell, call.lineno), ast.unparse(call)
        if id(call) in seeds:
            what = f"`{shown}` makes a seed of the time of day"
            yield Finding(CLOCK.name, "warning", place, what, "Use a constant as the seed.")
        elif id(call) not in spans:
            what = f"`{shown}` takes the time of day"
            cure = "Where a result depends on it, use a fixed date."
            yield Finding(CLOCK.name, "note", place, what, cure)


def _reads_clock(names: Names, call: ast.Call) -> bool:
    dotted = names.resolve(call.func)
    if dotted & _PARSERS:
        texts = names.text(call.args[0]) if call.args else set()
        return bool(texts & {"now", "today"})
    return any(len(call.args) < _BARE.get(one, len(call.args) + 1) for one in dotted & _CLOCKS)


def _stored(source: Source) -> Stored:
    found = defaultdict[str, list[ast.expr]](list)
    for _, node in source.nodes():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id].append(node.value)
    return found


def _seeding(source: Source, names: Names, stored: Stored) -> set[int]:
    """Nodes in what is given as a seed, or in what a name that is given stands for."""
    given: list[ast.expr] = []
    for _, call in source.calls():
        if names.resolve(call.func) & _SEEDERS:
            given += call.args
        given += [one.value for one in call.keywords if one.arg in _SEEDS]
    given += [value for one in given if isinstance(one, ast.Name) for value in stored.get(one.id, ())]
    return {id(node) for one in given for node in ast.walk(one)}


def _spans(source: Source, names: Names, stored: Stored) -> set[int]:
    """Calls whose value is only ever subtracted to measure: in place, or by the names that it is given to."""
    subtracted: set[int] = set()
    loads: defaultdict[str, list[ast.Name]] = defaultdict(list)
    for _, node in source.nodes():
        match node:
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                pairs = ((left, right), (right, left))
                subtracted |= {id(one) for one, other in pairs if _measures(names, stored, one, other)}
            case ast.AugAssign(op=ast.Sub(), value=value):
                subtracted.add(id(value))
            case ast.Name(id=name, ctx=ast.Load()):
                loads[name].append(node)
    for name, values in stored.items():
        if all(id(load) in subtracted for load in loads[name]):
            subtracted |= {id(value) for value in values}
    return subtracted


def _measures(names: Names, stored: Stored, one: ast.expr, other: ast.expr) -> bool:
    """Whether the difference of a time and another is how long something took; else it is an age, or days since."""
    calls = _calls(stored, other)
    if any(_reads_clock(names, call) for call in calls):
        return True
    if any(names.resolve(call.func) & _DATES for call in calls):
        return False
    days = any(_reads_clock(names, call) and names.resolve(call.func) & _DAYS for call in _calls(stored, one))
    return not (days and isinstance(other, ast.Subscript))


def _calls(stored: Stored, node: ast.expr) -> list[ast.Call]:
    """Calls in an expression, or in what a name stands for."""
    values = stored.get(node.id, []) if isinstance(node, ast.Name) else [node]
    return [one for value in values for one in ast.walk(value) if isinstance(one, ast.Call)]


CLOCK = Rule(
    "wall-clock",
    "note",
    "The time of day is used",
    "A result that depends on the date, such as an age or the days since an event, is another one tomorrow. Use a "
    "fixed date, or take it from the data. What only measures how long something took is not reported. A warning "
    "where the time of day becomes a seed.",
    _check,
)
