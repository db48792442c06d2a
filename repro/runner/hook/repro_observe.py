"""Tells of a run under capture what no audit event tells: variables read, generators seeded, drawn from, left unseeded.

Beside the runner's hook, which starts it. A line's name is `detail, file, line, file, line`, separated by tabs: the
nearest caller, then the nearest one that is no library. No function that computes is wrapped: whether a generator was
drawn from is told from its state, before and after a cell.
"""
# Every interpreter pays for what is imported here: pathlib, contextlib and typing are dear.
# ruff: noqa: BLE001, PTH110, PTH118, PTH120, S110, SIM105

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType
    from typing import Any

_PASSED_OVER = frozenset({"os", "_collections_abc", "collections.abc", "random", "secrets", "functools", __name__})
_NUMPYS_BITS = 128  # what NumPy asks the system for, also for a RandomState that it then seeds with a given number
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", os.path.dirname(os.__file__))


class Observer:
    """Writes lines by `write(kind, text, name)`, each variable and place once a process."""

    def __init__(self, write: Callable[[str, str, str], None]) -> None:
        self._write = write
        self._seen: set[tuple[str, str, str]] = set()
        self.generators = Generators(self.note)

    def note(self, kind: str, text: str, detail: str, *, again: bool = False) -> None:
        """Write a line with the places that led here; never in the program's way."""
        try:
            near, user = _places()
            if kind == "entropy" and not user[0]:
                return  # what a library asks for when it is imported
            name = "\t".join((detail, near[0], str(near[1]), user[0], str(user[1])))
            if again or (kind, text, name) not in self._seen:
                self._seen.add((kind, text, name))
                self._write(kind, text, name)
        except Exception:
            pass


def _places() -> tuple[tuple[str, int], tuple[str, int]]:
    """The nearest caller, and the nearest one outside of libraries unless an import lies between."""
    near: tuple[str, int] | None = None
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to a caller
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name == "importlib._bootstrap":
            break
        if name not in _PASSED_OVER:
            place = (frame.f_code.co_filename, frame.f_lineno)
            near = near or place
            if _is_users(place[0], name):
                return near, place
        frame = frame.f_back
    return near or ("", 0), ("", 0)


def _is_users(file: str, module: object) -> bool:
    if file.startswith("<"):  # generated code, but for what is typed in
        return module == "__main__" and not file.startswith("<frozen")
    return not any(part in file for part in _LIBRARIES)


class Generators:
    """The process-wide generators of `random`, NumPy and PyTorch: whether they moved, and from which seed."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self._pid = os.getpid()
        self._last: dict[str, object] = {}
        self._fixed: dict[str, bool] = {}
        self._states: dict[str, Callable[[], object]] = {}

    def begin(self, name: str, state: Callable[[], object]) -> None:
        """Watch one from now on; `state` gives something that changes when it is drawn from."""
        self._states[name] = state
        self._last[name] = state()

    def check(self) -> None:
        """Tell which were drawn from since the last check. Forked children start from states of their own."""
        if os.getpid() == self._pid:
            for name in list(self._states):
                self._check(name)

    def settle(self) -> None:
        """Take what was drawn since the last check for nobody's concern: the kernel itself draws between cells."""
        for name, state in self._states.items():
            self._last[name] = state()

    def seeded(self, name: str, call: Callable[[], Any], *, fixed: bool) -> Any:
        """Make a seeding call: draws before it count for the seed before it."""
        if name in self._states and os.getpid() == self._pid:
            self._check(name)
        self._note("seed", name, "fixed" if fixed else "free")
        result = call()
        self._fixed[name] = fixed
        if name in self._states:
            self._last[name] = self._states[name]()
        return result

    def _check(self, name: str) -> None:
        try:
            now = self._states[name]()
            if now != self._last[name]:
                self._last[name] = now
                self._note("draw", name, "fixed" if self._fixed.get(name) else "free", again=True)
        except Exception:
            pass


class AfterImport:
    """A finder that finds nothing itself: it calls back when certain modules have been loaded by the others."""

    def __init__(self, wanted: dict[str, Callable[[ModuleType], None]]) -> None:
        self._wanted = wanted
        self._busy = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """The spec of a wanted module with a loader that tells; None for every other."""
        if name not in self._wanted or self._busy:
            return None
        self._busy = True
        try:
            spec = next(filter(None, (_ask(finder, name, path, target) for finder in sys.meta_path)), None)
        finally:
            self._busy = False
        if spec is not None and spec.loader is not None:
            _tell_after(spec.loader, self._wanted[name])
        return spec


def _ask(finder: Any, name: str, path: object, target: object) -> Any:
    return finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None


def _tell_after(loader: Any, tell: Callable[[ModuleType], None]) -> None:
    """Let this loader, which loads one module, call back once it has; its class is left as it is."""
    original = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        try:
            del loader.exec_module
        except AttributeError:
            pass
        original(module)
        try:
            tell(module)
        except Exception:
            pass

    try:
        loader.exec_module = exec_module
    except AttributeError:
        pass


def start(recorder: Any) -> None:
    """Begin, for the runner's recorder (see the hook)."""
    import atexit  # noqa: PLC0415 - the hook has imported it

    observer = Observer(recorder.log.write)
    atexit.register(observer.generators.check)
    _observe_variables(observer)
    wanted = {
        "random": lambda module: _observe_random(module, observer),
        "numpy.random": lambda module: _observe_numpy(module, observer),
        "torch": lambda module: _observe_torch(module, observer),
        "IPython.core.interactiveshell": lambda module: _observe_cells(module, observer),
        "IPython.utils._process_posix": lambda module: _beside("repro_shell").unattended(module),
        **_readers(recorder),
    }
    for name in sys.modules.keys() & wanted.keys():
        wanted[name](sys.modules[name])
    finders: list[Any] = sys.meta_path
    finders.insert(0, AfterImport(wanted))


def _readers(recorder: Any) -> dict[str, Callable[[ModuleType], None]]:
    """Readers of compiled libraries, where the system doesn't tell what they open: see repro_readers beside this."""
    if not os.path.exists(os.path.join(os.path.dirname(__file__), "repro_readers.py")):
        return {}
    return dict(_beside("repro_readers").wanted(recorder))


def _beside(name: str) -> Any:
    return sys.modules["_repro_hook"]._load(name)  # noqa: SLF001 - the hook that started this


def _observe_variables(observer: Observer) -> None:
    """Tell of each variable that is asked for by name; walking through all of them, or a copy, is no such reading."""
    kind: Any = type(os.environ)
    get, walk = kind.__getitem__, kind.__iter__
    walked: list[object] = [None, None]  # the key that a walk is at; where the last whole walk was asked for

    def asked(self: Any, key: Any) -> Any:
        try:
            value = get(self, key)
        except KeyError:
            observer.note("variable", os.fsdecode(key), "absent")
            raise
        if key != walked[0] and _site() != walked[1]:
            observer.note("variable", os.fsdecode(key), "present")
        return value

    def walking(self: Any) -> Iterator[Any]:
        for key in walk(self):
            walked[0] = key
            yield key
        walked[:] = [None, _site()]

    kind.__getitem__, kind.__iter__ = asked, walking


def _site() -> object:
    """The instruction that called for what is going on: `dict(os.environ)` walks and reads at one."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and frame.f_globals.get("__name__") in _PASSED_OVER:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


def _observe_random(module: Any, observer: Observer) -> None:
    """`random`: its own generator by state; private ones and the system's entropy when they are made or asked."""
    generators, shared = observer.generators, module._inst  # noqa: SLF001
    seed, put, bits = module.Random.seed, module.Random.setstate, module.SystemRandom.getrandbits
    fraction = module.SystemRandom.random

    def seeded(self: Any, a: Any = None, version: int = 2) -> None:
        if self is shared:
            generators.seeded("random", lambda: seed(self, a, version), fixed=a is not None)
            return
        if a is None:
            observer.note("entropy", "random.Random", "free")
        seed(self, a, version)

    def put_state(self: Any, state: Any) -> None:
        generators.seeded("random", lambda: put(self, state), fixed=True) if self is shared else put(self, state)

    def asked_bits(self: Any, k: int) -> int:
        if k != _NUMPYS_BITS:
            observer.note("entropy", "random.SystemRandom", "free")
        return int(bits(self, k))

    def asked_fraction(self: Any) -> float:
        observer.note("entropy", "random.SystemRandom", "free")
        return float(fraction(self))

    module.Random.seed, module.Random.setstate, module.SystemRandom.getrandbits = seeded, put_state, asked_bits
    module.SystemRandom.random = asked_fraction
    module.seed, module.setstate = shared.seed, shared.setstate
    generators.begin("random", module.getstate)


def _observe_numpy(module: Any, observer: Observer) -> None:
    """`numpy.random`: the legacy generator by state, and `default_rng` where it gets no seed."""
    import functools  # noqa: PLC0415 - NumPy has imported it

    generators = observer.generators
    seed, put, make = module.seed, module.set_state, module.default_rng

    @functools.wraps(seed)
    def seeded(*args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        return generators.seeded("numpy.random", lambda: seed(*args, **kwargs), fixed=given not in ([], [None]))

    @functools.wraps(put)
    def put_state(*args: Any, **kwargs: Any) -> Any:
        return generators.seeded("numpy.random", lambda: put(*args, **kwargs), fixed=True)

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        if [*args, *kwargs.values()] in ([], [None]):
            observer.note("entropy", "numpy.random", "free")
        return make(*args, **kwargs)

    def state() -> object:
        name, keys, *rest = module.get_state()
        return name, keys.tobytes(), rest

    module.seed, module.set_state, module.default_rng = seeded, put_state, made
    generators.begin("numpy.random", state)


def _observe_torch(module: Any, observer: Observer) -> None:
    """PyTorch's default generator on the CPU."""
    import functools  # noqa: PLC0415 - PyTorch has imported it

    generators, seed, free = observer.generators, module.manual_seed, module.seed

    @functools.wraps(seed)
    def seeded(seed_: Any) -> Any:
        return generators.seeded("torch", lambda: seed(seed_), fixed=True)

    @functools.wraps(free)
    def freed() -> Any:
        return generators.seeded("torch", free, fixed=False)

    module.manual_seed, module.seed = seeded, freed
    module.random.manual_seed, module.random.seed = seeded, freed
    generators.begin("torch", lambda: bytes(module.get_rng_state().numpy()))


def _observe_cells(module: Any, observer: Observer) -> None:
    """Look at the generators after each cell."""
    shell = module.InteractiveShell
    begin = shell.init_events

    def init_events(self: Any) -> None:
        begin(self)
        self.events.register("pre_run_cell", lambda _: observer.generators.settle())
        self.events.register("post_run_cell", lambda _: observer.generators.check())

    shell.init_events = init_events
