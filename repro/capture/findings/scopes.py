"""Walks through a source in the order of a run from the top, by Python's scoping rules (language reference, 4.2).

Doubt counts for the author: both branches of an `if` bind, a loop's body has run before, a star import binds anything.
"""

import ast
import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from repro.capture.findings.bindings import (
    argument_names,
    bound_names,
    global_names,
    leaves_early,
    type_names,
    yields,
)
from repro.capture.findings.flow import Flow, Recorder, Scope
from repro.capture.findings.source import Cell

_NEWER = {"PythonFinalizationError", "EncodingWarning", "ExceptionGroup", "BaseExceptionGroup", "WindowsError"}
_MODULE = {"__name__", "__doc__", "__builtins__", "__loader__", "__spec__", "__package__", "__annotations__"}
_OPENERS = {"exec", "globals", "locals", "vars", "dir"}
_RUNNERS = {"run_cell", "run_line_magic", "run_cell_magic", "magic", "push", "ex", "user_ns", "safe_execfile"}
_CATCHERS = {"NameError", "UnboundLocalError", "Exception", "BaseException"}
BUILTINS = frozenset({*dir(builtins), *_NEWER, *_MODULE} - {"_"})

_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def walk(cells: Sequence[Cell], known: Iterable[str]) -> Flow:
    """Follow cells from the top, with names that are bound from the start."""
    walker = _Walker(known)
    for number, cell in enumerate(cells):
        walker.take(number, cell)
    return walker.seen.done()


class _Walker:
    def __init__(self, known: Iterable[str]) -> None:
        self.seen = Recorder(known)
        self._handlers: dict[type, Callable[[Any, Scope | None], None]] = {
            ast.Name: self._name,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.AnnAssign: self._annotated,
            ast.NamedExpr: self._walrus,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.If: self._if,
            ast.IfExp: self._if_else,
            ast.BoolOp: self._bool,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.ExceptHandler: self._handler,
            ast.match_case: self._case,
            ast.Call: self._call,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
        }
        if hasattr(ast, "TypeAlias"):
            self._handlers[ast.TypeAlias] = self._alias

    def take(self, number: int, cell: Cell) -> None:
        """Follow one more cell."""
        self.seen.cell = number
        if cell.error is not None:
            self.seen.open = True  # nobody knows what it would bind
        with self.seen.guard(on=cell.may_fail):
            self._all(cell.tree.body, None)

    def _all(self, nodes: Iterable[ast.AST | None], scope: Scope | None) -> None:
        for node in nodes:
            if node is not None:
                handler = self._handlers.get(type(node))
                if handler is None:
                    self._all(ast.iter_child_nodes(node), scope)
                else:
                    handler(node, scope)

    def _perhaps(self, nodes: Iterable[ast.AST | None], scope: Scope | None) -> None:
        with self.seen.branch():
            self._all(nodes, scope)

    def _name(self, node: ast.Name, scope: Scope | None) -> None:
        match node.ctx:
            case ast.Load():
                self.seen.use(node.id, node.lineno, scope)
            case ast.Store():
                self.seen.bind(node.id, node.lineno, scope)
            case ast.Del():
                self.seen.delete(node.id, node.lineno, scope)

    def _assign(self, node: ast.Assign, scope: Scope | None) -> None:
        self._all([node.value, *node.targets], scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope | None) -> None:
        if isinstance(node.target, ast.Name):
            self.seen.use(node.target.id, node.lineno, scope)
        self._all([node.value, node.target], scope)

    def _annotated(self, node: ast.AnnAssign, scope: Scope | None) -> None:
        self._later([node.annotation], scope)  # evaluated at once only before Python 3.14
        if node.value is not None:
            self._all([node.value, node.target], scope)

    def _walrus(self, node: ast.NamedExpr, scope: Scope | None) -> None:
        self._all([node.value], scope)
        while scope is not None and scope.kind == "comprehension":
            scope = scope.parent
        self.seen.bind(node.target.id, node.lineno, scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope | None) -> None:
        self.seen.open = self.seen.open or any(one.name == "*" for one in node.names)
        for name, line in bound_names([node]):
            self.seen.bind(name, line, scope)

    def _if(self, node: ast.If, scope: Scope | None) -> None:
        self._all([node.test], scope)
        never = isinstance(node.test, ast.Constant) and not node.test.value
        with self.seen.branch(on=not _is_always(node.test)), self.seen.guard(on=never):
            self._all(node.body, scope)
        self._perhaps(node.orelse, scope)

    def _if_else(self, node: ast.IfExp, scope: Scope | None) -> None:
        self._all([node.test], scope)
        self._perhaps([node.body, node.orelse], scope)

    def _bool(self, node: ast.BoolOp, scope: Scope | None) -> None:
        self._all(node.values[:1], scope)
        self._perhaps(node.values[1:], scope)

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope | None) -> None:
        self._all([node.iter], scope)
        self._loop([node.target, *node.body], scope)
        self._perhaps(node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope | None) -> None:
        self._all([node.test], scope)
        self._loop(node.body, scope)
        self._perhaps(node.orelse, scope)

    def _loop(self, nodes: Sequence[ast.AST], scope: Scope | None) -> None:
        """What a later turn sees may come from an earlier one."""
        for name, line in bound_names(nodes):
            self.seen.bind(name, line, scope)
        self._perhaps(nodes, scope)

    def _try(self, node: ast.Try, scope: Scope | None) -> None:
        with self.seen.guard(on=any(_catches(handler.type) for handler in node.handlers)):
            self._all(node.body, scope)
        self._perhaps([*node.handlers, *node.orelse], scope)
        self._all(node.finalbody, scope)

    def _handler(self, node: ast.ExceptHandler, scope: Scope | None) -> None:
        self._all([node.type], scope)
        if node.name:
            self.seen.bind(node.name, node.lineno, scope)
        self._all(node.body, scope)

    def _case(self, node: ast.match_case, scope: Scope | None) -> None:
        for name, line in bound_names([node.pattern]):
            self.seen.bind(name, line, scope)
        self._perhaps([node.pattern, node.guard, *node.body], scope)

    def _call(self, node: ast.Call, scope: Scope | None) -> None:
        self._all(ast.iter_child_nodes(node), scope)
        match node.func:
            case ast.Name(id="vars" | "dir") if node.args:
                pass
            case ast.Name(id=name) if name in _OPENERS:
                self.seen.open = True
            case ast.Name(id=name):
                self.seen.call(name, node.lineno, scope)
            case ast.Attribute(attr=name) if name in _RUNNERS:
                self.seen.open = True

    # What has a scope of its own

    def _later(self, nodes: Iterable[ast.AST | None], scope: Scope | None, names: Iterable[str] = ()) -> None:
        """What is evaluated some other time, in a scope with `names`."""
        self._perhaps(nodes, Scope(set(names), "function", scope))

    def _function(self, node: _Definition, scope: Scope | None) -> None:
        given = node.args
        self._all([*node.decorator_list, *given.defaults, *given.kw_defaults], scope)
        self.seen.bind(node.name, node.lineno, scope)
        shared = global_names(node)
        for name in shared:
            self.seen.bind(name, node.lineno, None)  # a call may
        names = {name for name, _ in bound_names(node.body)} | argument_names(given) | type_names(node)
        inner = Scope(names - shared, "function", scope)
        arguments = (one for one in ast.walk(given) if isinstance(one, ast.arg))
        annotations = [*(one.annotation for one in arguments), node.returns, *getattr(node, "type_params", ())]
        self._later(annotations, scope, type_names(node))
        self._function_body(node.body, inner)
        if scope is None:
            plain = isinstance(node, ast.FunctionDef) and not node.decorator_list and not yields(node)
            self.seen.define(node.name, inner.needs if plain else set())

    def _function_body(self, body: Sequence[ast.stmt], inner: Scope) -> None:
        before, self.seen.unsure = self.seen.unsure, 0
        for statement in body:
            self._all([statement], inner)
            self.seen.unsure += leaves_early(statement)
        self.seen.unsure = before

    def _lambda(self, node: ast.Lambda, scope: Scope | None) -> None:
        self._all([*node.args.defaults, *node.args.kw_defaults], scope)
        self._later([node.body], scope, argument_names(node.args) | {name for name, _ in bound_names([node.body])})

    def _class(self, node: ast.ClassDef, scope: Scope | None) -> None:
        self._all([*node.decorator_list, *node.bases, *(one.value for one in node.keywords)], scope)
        names = {name for name, _ in bound_names(node.body)} | {"__module__", "__qualname__"}
        around = Scope({"__class__", *type_names(node)}, "comprehension", scope)  # its methods see these
        self._all(node.body, Scope(names, "class", around))
        self.seen.bind(node.name, node.lineno, scope)

    def _alias(self, node: Any, scope: Scope | None) -> None:
        """`type X = …` (PEP 695)."""
        self._all([node.name], scope)
        self._later([node.value], scope, type_names(node))

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope | None
    ) -> None:
        """The first iterable is evaluated around it (language reference, 6.2.4), generators for the rest wait."""
        parts = node.generators
        self._all([parts[0].iter], scope)
        names = {name for part in parts for name, _ in bound_names([part.target])}
        nodes: list[ast.AST] = [*(part.iter for part in parts[1:]), *(test for part in parts for test in part.ifs)]
        nodes += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        if isinstance(node, ast.GeneratorExp):
            self._later(nodes, scope, names)
        else:
            self._perhaps(nodes, Scope(names, "comprehension", scope))


def _is_always(test: ast.expr) -> bool:
    """`__name__ == "__main__"`, `True`, `1`: so in everything that is run."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]):
            return True
        case ast.Constant(value=value):
            return bool(value)
    return False


def _catches(kind: ast.expr | None) -> bool:
    match kind:
        case None:
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _CATCHERS
        case ast.Tuple(elts=kinds):
            return any(_catches(one) for one in kinds)
    return False
