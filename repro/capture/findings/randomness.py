"""The rule about random numbers that nothing seeds. What draws and what seeds, by library, is in `random_calls`."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.capture.findings.model import Finding, Level, Rule, Run
from repro.capture.findings.names import Names, argument, is_none, learn, unpacks
from repro.capture.findings.random_calls import (
    BOOSTER_SEEDS,
    BOOSTERS,
    CALLS,
    NUMPY,
    POOLS,
    SKLEARN,
    SUBSAMPLING,
    UNSEEDABLE,
    Drawer,
    Pool,
)
from repro.capture.findings.source import Cell, Source
from repro.words import few

_FRAMES = {"pandas", "polars", "geopandas", "modin", "dask", "cudf"}
_MOST = 4
_SHARED = {pool.name: pool.cure for pool in POOLS}
_WATCHED = {"numpy.random", "random", "torch"}
"""Shared generators of which a run sees whether they drew, and seeded or not."""
_SEEN_MADE = {"numpy.random.default_rng", "random.Random"}
"""Calls of which a run sees whether they were made without a seed."""
_MADE = {
    "numpy.random": "Give it a seed: np.random.default_rng(0).",
    "random.Random": "Give it a seed: random.Random(0).",
}


@dataclass(frozen=True, slots=True)
class _Told:
    """A call that only a seed of its own can seed."""

    shown: str
    cure: str
    level: Level = "warning"
    pool: Pool | None = None


@dataclass(frozen=True, slots=True)
class _Waits:
    """A call that draws from a pool."""

    shown: str
    pool: Pool


def _check(source: Source) -> Iterator[Finding]:
    """At most one finding for each cell and cure."""
    return (finding for finding, _ in _found(source))


def _settle(source: Source, findings: tuple[Finding, ...], run: Run) -> Iterator[Finding]:
    """Without draws that the run saw seeded after all, and with cells that drew unseeded in code that isn't theirs."""
    pools = {finding: pool.name if pool else "" for finding, pool in _found(source)}
    draws = run.observed.draws
    seeded = {(one.generator, one.place.cell) for one in draws if one.fixed}
    seeded -= {(one.generator, one.place.cell) for one in draws if not one.fixed}
    left = [one for one in findings if (pools.get(one, ""), one.place.cell) not in seeded]
    yield from left
    known, told = {pools.get(one, "") for one in left}, {one.place.cell for one in left}
    cells = {cell.number: cell for cell in source.cells}
    local = {module.path for module in run.modules}
    for one in (one for one in run.observed.unseeded() if one.place.file not in local):
        number, generator = one.place.cell, one.generator
        if number not in told and number in cells and generator not in known and generator in _SHARED:
            told.add(number)
            line = one.place.line if one.place.owner == "cell" else 0
            what = f"the run drew from `{generator}` here without a seed that the code gives"
            yield Finding(UNSEEDED.name, "warning", source.place(cells[number], line or None), what, _SHARED[generator])


def in_module(module: Source, others: Iterable[Source], subject: Source, run: Run) -> Iterator[Finding]:
    """What is left, after a run, of what a local module draws.

    Where the run watches a generator it knows better: it counts if that drew unseeded, and the subject doesn't tell
    why. Generators that code makes for itself are told at the line where the run saw that.
    """
    yield from _made(module, run)
    names, sources = learn(module), (subject, *others)
    left = _unexplained(subject, run)
    draws = []
    for cell, call, told in _draws(module):
        pool = told.pool
        if pool is None:
            counts = not names.resolve(call.func) & _SEEN_MADE
        elif pool.name in _WATCHED:
            counts = pool.name in left
        else:
            counts = not any(pool in _seeded(one, learn(one)) for one in sources)
        if counts:
            draws.append((cell, call, told))
    yield from (finding for finding, _ in _grouped(module, draws))


def _made(module: Source, run: Run) -> Iterator[Finding]:
    """Generators that the run saw made without a seed, by line."""
    facts = [one for one in run.observed.entropy if not one.fixed and one.place.file == module.path and one.place.line]
    for line, generator in sorted({(one.place.line, one.generator) for one in facts if one.generator in _MADE}):
        what = f"the run made a generator of `{generator}` here without a seed"
        yield Finding(UNSEEDED.name, "warning", module.place(module.cells[0], line), what, _MADE[generator])


def _unexplained(subject: Source, run: Run) -> set[str]:
    """Shared generators that drew unseeded in cells where nothing in the subject tells why."""
    told = {(finding.place.cell, pool.name) for finding, pool in _found(subject) if pool}
    allowed = {cell.number for cell in subject.cells if any(UNSEEDED.name in one for one in cell.allowed.values())}
    facts = [one for one in run.observed.draws if not one.fixed and one.place.cell not in allowed]
    return {one.generator for one in facts if (one.place.cell, one.generator) not in told}


def _found(source: Source) -> Iterator[tuple[Finding, Pool | None]]:
    """Each finding, with the pool that all its calls draw from."""
    return _grouped(source, _draws(source))


def _draws(source: Source) -> Iterator[tuple[Cell, ast.Call, _Told]]:
    """Each call that draws unseeded."""
    names = learn(source)
    seeded = _seeded(source, names)
    inside = _inside_functions(source)
    for turn, (cell, call) in enumerate(source.calls()):
        need = _need(names, call)
        told = _unseeded(need, None if id(call) in inside else turn, seeded) if isinstance(need, _Waits) else need
        if told is not None and UNSEEDED.name not in cell.allowed.get(call.lineno, ()):
            yield cell, call, told


def _grouped(source: Source, draws: Iterable[tuple[Cell, ast.Call, _Told]]) -> Iterator[tuple[Finding, Pool | None]]:
    """One finding for each cell and cure."""
    found: dict[tuple[int | None, str, Pool | None], tuple[Cell, int, Level, list[str]]] = {}
    for cell, call, told in draws:
        _, _, _, shown = found.setdefault((cell.number, told.cure, told.pool), (cell, call.lineno, told.level, []))
        if told.shown not in shown:
            shown.append(told.shown)
    for (_, cure, pool), (cell, line, level, shown) in found.items():
        yield Finding(UNSEEDED.name, level, source.place(cell, line), _what(shown, level), cure), pool


def _seeded(source: Source, names: Names) -> dict[Pool, int]:
    """The turn in which each pool is seeded first. Where that is done in a function, it counts where that stands."""
    found: dict[Pool, int] = {}
    for turn, (_, call) in enumerate(source.calls()):
        for name in names.resolve(call.func):
            for pool in POOLS:
                if name in pool.seeders and not _says_nothing(call):
                    found.setdefault(pool, turn)
    return found


def _unseeded(need: _Waits, turn: int | None, seeded: Mapping[Pool, int]) -> _Told | None:
    """What to tell of a draw from a pool; None where it is seeded by then, or in time when a function runs later."""
    pool = need.pool
    if pool not in seeded:
        return _Told(need.shown, _cure(pool, need.shown), pool=pool)
    if turn is None or turn > seeded[pool]:
        return None
    return _Told(need.shown, f"Seed {pool.name} before this: the first seed comes after it.", pool=pool)


def _need(names: Names, call: ast.Call) -> _Told | _Waits | None:
    """What a call needs to draw the same numbers again; None when it draws none, or is given a seed."""
    shown = ast.unparse(call.func)
    for name in sorted(names.resolve(call.func)):
        found = _function(name, call, shown)
        if found is not None:
            return found
    if isinstance(call.func, ast.Attribute) and not unpacks(call):
        return _method(names, call, call.func, shown)
    return None


def _function(name: str, call: ast.Call, shown: str) -> _Told | _Waits | None:
    top, _, rest = name.partition(".")
    module, _, last = name.rpartition(".")
    drawer = SKLEARN.get(last) if top == "sklearn" and rest else CALLS.get(name)
    if drawer is not None:
        return _drawn(drawer, call, shown)
    if name in BOOSTERS:
        return _boosted(call, shown)
    if name in UNSEEDABLE:
        return _Told(
            shown, "Nothing can seed this: keep it away from results, or draw from a seeded generator.", "note"
        )
    for pool in POOLS:
        if module in pool.prefixes and last in pool.functions and not _own_seed(call):
            return _Waits(shown, pool)
    return None


def _drawn(drawer: Drawer, call: ast.Call, shown: str) -> _Told | _Waits | None:
    if unpacks(call) or not _applies(drawer, call):
        return None
    given = [argument(call, seed, drawer.position) for seed in drawer.seeds]
    if not all(is_none(one) for one in given):
        return None
    if drawer.pool is None:
        return _Told(shown, drawer.cure or f"Give it a seed: {drawer.seeds[0]}=0.")
    return _Waits(shown, drawer.pool)


def _applies(drawer: Drawer, call: ast.Call) -> bool:
    """Whether a call draws, by its arguments."""
    if drawer.unless is not None and _is(call, drawer.unless[0], (drawer.unless[1],)):
        return False
    if drawer.start is not None and not isinstance(argument(call, drawer.start), ast.Constant | None):
        return False
    return not drawer.when or any(_is(call, name, values) for name, values in drawer.when)


def _is(call: ast.Call, name: str, values: Sequence[str]) -> bool:
    """Whether an argument is given, and has one of some values; any where none is named."""
    given = argument(call, name)
    return given is not None and (not values or ast.unparse(given) in values)


def _boosted(call: ast.Call, shown: str) -> _Told | None:
    """Their default seeds are fixed, yet by each version for itself."""
    given = {one.arg for one in call.keywords}
    if not given & SUBSAMPLING or unpacks(call) or given & set(BOOSTER_SEEDS):
        return None
    return _Told(shown, "Name the seed, random_state=0: without it the library's own default decides.", "note")


def _method(names: Names, call: ast.Call, function: ast.Attribute, shown: str) -> _Waits | None:
    """`df.sample(…)` and `scipy.stats.norm.rvs(…)`, on objects whose type nobody knows."""
    if _own_seed(call):
        return None
    if function.attr == "rvs":
        return _Waits(shown, NUMPY)
    if function.attr == "sample" and _imports_frames(names) and not _is_module(names.resolve(function.value)):
        sized = {one.arg for one in call.keywords} & {"n", "frac", "fraction"}
        if sized or (len(call.args) == 1 and _is_number(call.args[0])):
            return _Waits(shown, NUMPY)
    return None


def _own_seed(call: ast.Call) -> bool:
    """Whether it is given a seed, or a generator, of its own."""
    return any(not is_none(argument(call, name)) for name in ("random_state", "seed", "generator", "key", "rng"))


def _is_module(owner: set[str]) -> bool:
    """Whether what `.sample` belongs to is a module or an imported name."""
    return any("." in one or one in {"random", "pm"} for one in owner)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _imports_frames(names: Names) -> bool:
    return any(one.partition(".")[0] in _FRAMES for found in names.imported.values() for one in found)


def _says_nothing(call: ast.Call) -> bool:
    """`seed()`, which takes a seed from the system."""
    given = [*call.args, *(one.value for one in call.keywords)]
    return not given or is_none(given[0])


def _inside_functions(source: Source) -> set[int]:
    """Calls in functions: they run later than where they stand."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    functions = (node for _, node in source.nodes() if isinstance(node, kinds))
    return {id(node) for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)}


def _cure(pool: Pool, shown: str) -> str:
    last = shown.rpartition(".")[2]
    if pool is NUMPY and (last in SKLEARN or last in {"sample", "rvs"}):
        return "Give it a seed: random_state=0."
    return pool.cure


def _what(calls: Sequence[str], level: Level) -> str:
    shown = few([f"`{one}`" for one in calls], _MOST)
    draws = "draws" if len(calls) == 1 else "draw"
    return f"{shown} {draws} {'at random' if level == 'note' else 'random numbers without a seed'}"


UNSEEDED = Rule(
    "unseeded-random",
    "warning",
    "Random numbers without a seed",
    "Every run draws other numbers, so a metric that depends on them differs from run to run. Seed what draws: "
    "`np.random.default_rng(0)`, `random.seed(0)`, `torch.manual_seed(0)`, `tf.keras.utils.set_random_seed(0)`, and "
    "`random_state=0` for scikit-learn and pandas, whose `random_state=None` draws from NumPy's shared generator. "
    "A note for XGBoost, LightGBM and CatBoost, whose default seeds are fixed, but not promised. A run shows what "
    "really drew: a cell that draws without a seed in a library's code is told, one that draws after a seed in a local "
    "module is not.",
    _check,
    _settle,
    disprovable=True,
)
