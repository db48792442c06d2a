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
        *("pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow"),
        *("arrow.now", "arrow.utcnow", "pendulum.now", "pendulum.today"),
    }
)
_BARE = frozenset({"time.ctime", "time.localtime", "time.gmtime", "time.asctime"})
"""They take the time of day only without an argument."""
_PARSERS = frozenset({"numpy.datetime64", "pandas.Timestamp", "pandas.to_datetime"})
_SEEDERS = frozenset(seeder for pool in POOLS for seeder in pool.seeders) | {"numpy.random.default_rng"}
_SEEDS = {"random_state", "seed", "random_seed"}


def _check(source: Source) -> Iterator[Finding]:
    names = learn(source)
    seeds, spans = _seeding(source, names), _spans(source)
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
    return bool(dotted & _CLOCKS) and not (dotted & _BARE and call.args)


def _seeding(source: Source, names: Names) -> set[int]:
    """Nodes in what is given as a seed."""
    given: list[ast.expr] = []
    for _, call in source.calls():
        if names.resolve(call.func) & _SEEDERS:
            given += call.args
        given += [one.value for one in call.keywords if one.arg in _SEEDS]
    return {id(node) for one in given for node in ast.walk(one)}


def _spans(source: Source) -> set[int]:
    """Calls whose value is only ever subtracted: in place, or by the names that it is given to."""
    subtracted: set[int] = set()
    loads: defaultdict[str, list[ast.Name]] = defaultdict(list)
    stored: defaultdict[str, list[ast.expr]] = defaultdict(list)
    for _, node in source.nodes():
        match node:
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                subtracted |= {id(left), id(right)}
            case ast.AugAssign(op=ast.Sub(), value=value):
                subtracted.add(id(value))
            case ast.Name(id=name, ctx=ast.Load()):
                loads[name].append(node)
            case ast.Assign(targets=targets, value=value):
                for name in (target.id for target in targets if isinstance(target, ast.Name)):
                    stored[name].append(value)
    for name, values in stored.items():
        if all(id(load) in subtracted for load in loads[name]):
            subtracted |= {id(value) for value in values}
    return subtracted


CLOCK = Rule(
    "wall-clock",
    "note",
    "The time of day is used",
    "A result that depends on the date, such as an age or the days since an event, is another one tomorrow. Use a "
    "fixed date, or take it from the data. What only measures how long something took is not reported. A warning "
    "where the time of day becomes a seed.",
    _check,
)
