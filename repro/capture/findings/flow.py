"""The record of a walk through a source from the top: which names are bound by now, and which uses came too early."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Use:
    """A name where it is used without being bound.

    Attributes:
        name: The name.
        cell: Which cell, counted from 0.
        line: Line in it.
        sure: Whether every run from the top comes by.
        function: Name of the function that uses it, and that is called here; else None.
        deferred: Whether it stands in the body of a function, which runs later or never.
    """

    name: str
    cell: int
    line: int
    sure: bool
    function: str | None = None
    deferred: bool = False


@dataclass
class Scope:
    """A scope inside of the module's.

    Attributes:
        names: What it binds.
        kind: Functions run later, classes and comprehensions where they stand.
        parent: The scope around it; None for the module's.
        needs: Names that a function takes from the module in every call.
    """

    names: set[str]
    kind: Literal["function", "class", "comprehension"]
    parent: "Scope | None"
    needs: set[str] = field(default_factory=set)

    def holds(self, name: str) -> bool:
        """Whether it, or one around it, binds a name. Functions don't see names of the class around them."""
        scope: Scope | None = self
        inside = False
        while scope is not None:
            if name in scope.names and not (inside and scope.kind == "class"):
                return True
            inside = inside or scope.kind == "function"
            scope = scope.parent
        return False


def function_of(scope: Scope | None) -> Scope | None:
    """The function that a scope is or is in; None for what runs where it stands."""
    while scope is not None and scope.kind != "function":
        scope = scope.parent
    return scope


@dataclass
class Flow:
    """What a walk found.

    Attributes:
        early: Uses of names that nothing had bound by then; each name once.
        first: Where each name is bound first: cell and line.
        deleted: Where `del` took a name away.
    """

    early: list[Use] = field(default_factory=list)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)
    deleted: dict[str, tuple[int, int]] = field(default_factory=dict)


class Recorder:
    """Told of bindings and uses in the order of a run.

    Attributes:
        cell: The cell that is being walked through, counted from 0.
        open: Whether any name may be bound from now on, as after a star import.
        unsure: In how many branches, which a run may leave out, the walk is.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.cell = 0
        self.open = False
        self.unsure = 0
        self._guarded = 0
        self._known = frozenset(known)
        self._bound = set(self._known)
        self._flow = Flow()
        self._later: list[Use] = []
        self._calls: list[Use] = []
        self._needs: dict[str, set[str]] = {}

    def bind(self, name: str, line: int, scope: Scope | None) -> None:
        """A name gets a value. Those of inner scopes are known from the start (see `Scope`)."""
        if scope is None:
            self._bound.add(name)
            self._flow.first.setdefault(name, (self.cell, line))

    def delete(self, name: str, line: int, scope: Scope | None) -> None:
        """`del`."""
        if scope is None and not self.unsure:
            self.use(name, line, scope)
            self._flow.deleted[name] = (self.cell, line)
            if name not in self._known:
                self._bound.discard(name)

    def use(self, name: str, line: int, scope: Scope | None) -> None:
        """A name is asked for its value."""
        if self.open or self._guarded or (scope is not None and scope.holds(name)):
            return
        owner = function_of(scope)
        if owner is not None:
            if not self.unsure:
                owner.needs.add(name)
            self._later.append(Use(name, self.cell, line, sure=False, deferred=True))
        elif name not in self._bound:
            self._flow.early.append(Use(name, self.cell, line, not self.unsure))

    def call(self, function: str, line: int, scope: Scope | None) -> None:
        """A function of the source is called where it stands: what it needs of the module must be there by now."""
        if self.open or self._guarded or function_of(scope) is not None:
            return
        waiting, seen = [function], set[str]()
        while waiting:
            one = waiting.pop()
            seen.add(one)
            needs = self._needs.get(one, set())
            waiting.extend(needs & self._needs.keys() - seen)
            self._calls += [Use(name, self.cell, line, not self.unsure, function) for name in needs - self._bound]

    def define(self, function: str, needs: set[str]) -> None:
        """A function of the module; of several with one name nobody knows which is called."""
        self._needs[function] = set() if function in self._needs else needs

    @contextlib.contextmanager
    def branch(self, *, on: bool = True) -> Iterator[None]:
        """Inside, nothing is sure to be run."""
        self.unsure += on
        yield
        self.unsure -= on

    @contextlib.contextmanager
    def guard(self, *, on: bool = True) -> Iterator[None]:
        """Inside, a name may be missing."""
        self._guarded += on
        yield
        self._guarded -= on

    def done(self) -> Flow:
        """What was found, by place."""
        first = self._flow.first
        uses = [*self._flow.early, *(use for use in self._calls if use.name in first)]
        if not self.open:
            uses += [use for use in self._later if use.name not in first and use.name not in self._known]
        once: dict[str, Use] = {}
        for use in sorted(uses, key=lambda use: (use.cell, use.line, use.name)):
            once.setdefault(use.name, use)
        return Flow(list(once.values()), first, self._flow.deleted)
