"""Which code of local modules a notebook or script may get to, by the names that it and they use.

Names alone decide: what is never named is never used; what has a name like something used may be told for nothing.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from repro.capture.findings.source import Cell, Source

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Code that runs only if all of some names are used somewhere.

    Attributes:
        needs: These names.
        names: Names that it uses in turn.
    """

    needs: frozenset[str]
    names: frozenset[str]


def reached(subject: Source, modules: Sequence[Source]) -> tuple[Source, ...]:
    """The modules with only the code that may run when the subject imports and uses them.

    Args:
        subject: Where everything starts.
        modules: Scripts that the run imported.
    """
    used = set(_names(node for cell in subject.cells if cell.runs for node in cell.nodes))
    sources = [subject, *modules]
    waiting = [unit for source in sources for unit in _renamed(source)]
    for cell in (cell for module in modules for cell in module.cells):
        used |= set(_names(_always(cell.tree.body)))
        waiting += _units(cell.tree.body)
    while ready := [unit for unit in waiting if unit.needs <= used]:
        used = used.union(*(unit.names for unit in ready))
        done = set(map(id, ready))
        waiting = [unit for unit in waiting if id(unit) not in done]
    return tuple(replace(one, cells=tuple(_cut(cell, used) for cell in one.cells)) for one in modules)


def _cut(cell: Cell, used: set[str]) -> Cell:
    tree = ast.Module(body=list(_kept(cell.tree.body, used)), type_ignores=[])
    nodes = tuple(ast.walk(tree))
    calls = sorted((one for one in nodes if isinstance(one, ast.Call)), key=lambda one: (one.lineno, one.col_offset))
    return replace(cell, tree=tree, nodes=nodes, calls=tuple(calls))


def _kept(body: Iterable[ast.stmt], used: set[str], owner: str = "") -> Iterator[ast.stmt]:
    """The statements whose names are used, classes with only such methods."""
    for one in body:
        if isinstance(one, ast.ClassDef):
            kept = ast.ClassDef(
                one.name, one.bases, one.keywords, list(_kept(one.body, used, one.name)), one.decorator_list
            )
            yield ast.copy_location(kept, one)
        elif not _is_main(one) and _needs(one, owner) <= used:
            yield one


def _units(body: Iterable[ast.stmt], owner: str = "") -> Iterator[_Unit]:
    for one in body:
        if isinstance(one, ast.ClassDef):
            yield from _units(one.body, one.name)
        elif needs := _needs(one, owner):
            yield _Unit(needs, frozenset(_names(ast.walk(one))))


def _needs(one: ast.stmt, owner: str) -> frozenset[str]:
    """Names that have to be used for a statement to matter: of a function, a method and its class, a constant."""
    match one:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            special = name.startswith("__") and name.endswith("__")
            return frozenset({owner if special and owner else name, owner or name})
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()):
            return frozenset({name})
    return frozenset()


def _always(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Nodes of what every import runs."""
    for one in body:
        if isinstance(one, ast.ClassDef):
            for part in (*one.bases, *one.decorator_list, *(word.value for word in one.keywords)):
                yield from ast.walk(part)
            yield from _always(one.body)
        elif isinstance(one, _FUNCTIONS):
            for part in one.decorator_list:
                yield from ast.walk(part)
        elif not (_is_main(one) or _needs(one, "")):
            yield from ast.walk(one)


def _is_main(one: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(one, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(one.test)
    )


def _names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that are read; an import alone uses nothing."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                yield name


def _renamed(source: Source) -> Iterator[_Unit]:
    """`from module import name as other`: who uses the one uses the other."""
    for _, node in source.nodes():
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                if one.asname:
                    yield _Unit(frozenset({one.asname}), frozenset({one.name}))
