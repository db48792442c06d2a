"""Which names pieces of code bind in the scope that they stand in, and how functions end."""

import ast
from collections.abc import Iterable, Iterator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Names that code binds in its own scope, with the line; what nested functions and classes bind is theirs."""
    for node in nodes:
        yield from _own(node)
        if isinstance(node, _COMPREHENSIONS):
            yield from _walrus(node)
        elif not isinstance(node, _DEFINITIONS):
            yield from bound_names(ast.iter_child_nodes(node))


def _own(node: ast.AST) -> Iterator[tuple[str, int]]:
    """What a node itself binds, without the nodes in it."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del(), lineno=line):
            yield name, line
        case ast.FunctionDef(name=name, lineno=line) | ast.AsyncFunctionDef(name=name, lineno=line):
            yield name, line
        case ast.ClassDef(name=name, lineno=line) | ast.ExceptHandler(name=str(name), lineno=line):
            yield name, line
        case ast.Import(names=names, lineno=line):
            yield from ((one.asname or one.name.partition(".")[0], line) for one in names)
        case ast.ImportFrom(names=names, lineno=line):
            yield from ((one.asname or one.name, line) for one in names)
        case ast.MatchAs(name=str(name), lineno=line) | ast.MatchStar(name=str(name), lineno=line):
            yield name, line
        case ast.MatchMapping(rest=str(name), lineno=line):
            yield name, line


def _walrus(node: ast.AST) -> Iterator[tuple[str, int]]:
    """`:=` in a comprehension binds around it (PEP 572)."""
    yield from ((one.target.id, one.lineno) for one in ast.walk(node) if isinstance(one, ast.NamedExpr))


def argument_names(given: ast.arguments) -> set[str]:
    """Names of a function's arguments."""
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {one.arg for one in every if one is not None}


def type_names(node: ast.AST) -> set[str]:
    """Type parameters of a function, class or alias (PEP 695)."""
    return {one.name for one in getattr(node, "type_params", ())}


def global_names(function: ast.AST) -> set[str]:
    """Names that `global` and `nonlocal` in a function, nested ones included, make others' names."""
    found = (node for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal))
    return {name for node in found for name in node.names}


def leaves_early(statement: ast.stmt) -> bool:
    """Whether what follows a statement of a function may not be reached."""
    return any(isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break) for node in ast.walk(statement))


def yields(node: ast.AST) -> bool:
    """Whether a function is a generator, whose body doesn't run when it is called."""
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(node))
