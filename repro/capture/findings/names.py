"""What the names in a source mean: `np.random.rand` is `numpy.random.rand` where numpy is imported as np."""

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from repro.capture.findings.source import Source

_SAME = (
    (re.compile(r"tensorflow\.(?:compat\.v[12]|python)\."), "tensorflow."),
    (re.compile(r"(?:tensorflow\.(?:python\.)?|tf_)keras(?=\.|$)"), "keras"),
    (re.compile(r"(?:pylab|matplotlib\.pylab)\.(?=rand)"), "numpy.random."),
    (re.compile(r"(?:pytorch_lightning|lightning\.pytorch|lightning\.fabric)\."), "lightning."),
)
_MANY = 4


@dataclass
class Names:
    """What imports of all cells, and assignments such as `randn = np.random.randn`, give names to.

    Names that also stand for something else, such as a variable or an argument, count as unknown.
    """

    imported: dict[str, set[str]] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)
    texts: dict[str, set[str]] = field(default_factory=dict)

    def resolve(self, node: ast.AST) -> set[str]:
        """Dotted names that an expression may stand for; for a name that nothing binds, the name itself."""
        match node:
            case ast.Name(id=name) if name in self.imported:
                return self.imported[name]
            case ast.Name(id=name):
                return {name, *(_same(f"{star}.{name}") for star in self.stars)}
            case ast.Attribute(value=value, attr=attribute) if _is_path(value):
                return {_same(f"{one}.{attribute}") for one in self.resolve(value) if one}
        return set()

    def text(self, node: ast.AST | None) -> set[str]:
        """Texts that an expression may be: a constant, a name that constants are assigned to, or the start of one."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Name(id=name):
                return self.texts.get(name, set())
            case ast.JoinedStr(values=[first, *_]):
                return self.text(first.value if isinstance(first, ast.FormattedValue) else first)
            case ast.BinOp(left=left, op=ast.Add()):
                return self.text(left)
            case ast.Call(func=ast.Attribute(value=value, attr="format")):
                return self.text(value)
        return set()


@functools.lru_cache(maxsize=4)
def learn(source: Source) -> Names:
    """Names that a source gives. Not to be changed: rules share it."""
    names = Names()
    bound: set[str] = set()
    renamed: list[tuple[str, ast.expr]] = []
    for _, node in source.nodes():
        match node:
            case ast.Import() | ast.ImportFrom():
                _learn_import(names, node)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() | ast.Name()):
                renamed.append((name, node.value))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.JoinedStr() | ast.BinOp()):
                bound.add(name)
                names.texts.setdefault(name, set()).update(names.text(node.value))
            case _:
                bound.update(_bound(node))
    for name, value in renamed:
        known = {one for one in names.resolve(value) if _known(names, one)} if name not in names.imported else set()
        if known:
            names.imported[name] = known
        else:
            bound.add(name)
    names.texts = {name: texts for name, texts in names.texts.items() if len(texts) <= _MANY}
    names.imported.update({name: set() for name in bound})
    return names


def _learn_import(names: Names, node: ast.Import | ast.ImportFrom) -> None:
    if isinstance(node, ast.ImportFrom):
        if node.module and not node.level:
            _learn_from(names, node.module, node.names)
        return
    for one in node.names:
        top = one.asname or one.name.partition(".")[0]
        names.imported.setdefault(top, set()).add(_same(one.name if one.asname else top))


def _learn_from(names: Names, module: str, aliases: Iterable[ast.alias]) -> None:
    for one in aliases:
        if one.name == "*":
            names.stars.add(module)
        else:
            names.imported.setdefault(one.asname or one.name, set()).add(_same(f"{module}.{one.name}"))


def _known(names: Names, dotted: str) -> bool:
    top = dotted.partition(".")[0]
    return any(top == one.partition(".")[0] for found in names.imported.values() for one in found)


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a node other than an import binds."""
    match node:
        case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
            yield from _targets(target)
        case ast.Assign(targets=targets):
            yield from (name for target in targets for name in _targets(target))
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.NamedExpr(target=ast.Name(id=name)):
            yield name
        case ast.withitem(optional_vars=ast.expr() as target):
            yield from _targets(target)


def _targets(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _targets(part)
        case ast.Starred(value=value):
            yield from _targets(value)


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _same(dotted: str) -> str:
    for pattern, text in _SAME:
        found = pattern.match(dotted)
        if found:
            return text + dotted[found.end() :]
    return dotted


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """The value of an argument by its name, or else by its place; None when it isn't given."""
    for one in call.keywords:
        if one.arg == name:
            return one.value
    if position is not None and position < len(call.args):
        return call.args[position]
    return None


def is_none(node: ast.expr | None) -> bool:
    """Whether an argument is left out, or None."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def unpacks(call: ast.Call) -> bool:
    """Whether `*args` or `**kwargs` may give what can't be seen."""
    return any(one.arg is None for one in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args)
