"""Rules about imports: those that nothing uses, and those that this environment doesn't have."""

import ast
import re
from collections.abc import Iterator

from repro.capture.findings.magics import ANYTHING, words
from repro.capture.findings.model import Finding, Level, Rule, without_errors
from repro.capture.findings.source import Cell, Source

_EFFECTS = ("__future__", "sklearn.experimental", "mpl_toolkits", "readline", "rlcompleter", "antigravity", "this")
_NOQA = re.compile(r"#\s*noqa(?!\s*:)|#\s*noqa\s*:.*\bF401\b", re.IGNORECASE)
_PATH = re.compile(r"\bsys\.path\b|\bsite\.addsitedir\b|\bos\.chdir\b|^\s*%?cd\s|\bimportlib\.import_module\b")
_MODULE_FILE = re.compile(r"(\w+)\.py\b")
"""A file that the source names: it may write the module itself."""
_FAILURES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_Import = ast.Import | ast.ImportFrom


def imported_modules(source: Source) -> set[str]:
    """Top-level modules that a source imports by name, from anywhere but its own package."""
    nodes = (node for _, node in source.nodes() if isinstance(node, _Import))
    return {name for node in nodes for name in _modules(node)}


def _unused(source: Source) -> Iterator[Finding]:
    used = _used(source)
    for cell in source.cells:
        tried = {one for one, excused in _guarded(cell).items() if excused}
        for node in cell.nodes:
            if not isinstance(node, _Import) or id(node) in tried or not cell.runs:
                continue
            text = "\n".join(cell.lines[node.lineno - 1 : node.end_lineno])
            names = [name for name in _bound(node) if name not in used]
            if names and not _NOQA.search(text):
                listed = ", ".join(f"`{name}`" for name in names)
                what = f"{listed} {'is' if len(names) == 1 else 'are'} imported, but never used"
                place = source.place(cell, node.lineno)
                yield Finding(UNUSED.name, "note", place, what, "Take the import out.")


def _used(source: Source) -> set[str]:
    """Names that are read anywhere, in magics, `__all__` and quoted annotations too."""
    found: set[str] = set()
    for cell in source.cells:
        found.update(words(cell.magics))
        if cell.error is not None:
            found.update(re.findall(r"[A-Za-z_]\w*", "\n".join(cell.lines)))
    for _, node in source.nodes():
        match node:
            case ast.Name(id=name, ctx=ast.Load() | ast.Del()):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                found |= {str(one.value) for one in ast.walk(value) if isinstance(one, ast.Constant)}
            case (
                ast.arg(annotation=ast.Constant(value=str(text)))
                | ast.AnnAssign(annotation=ast.Constant(value=str(text)))
            ):
                found.update(re.findall(r"[A-Za-z_]\w*", text))
    return found


def _bound(node: _Import) -> Iterator[str]:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    for one in node.names:
        whole = module or one.name
        if one.name != "*" and not any(whole == name or whole.startswith(f"{name}.") for name in _EFFECTS):
            name = one.asname or one.name.partition(".")[0]
            if not name.startswith("_") and one.asname != one.name:  # `import x as x` says that others use it
                yield name


def _missing(source: Source) -> Iterator[Finding]:
    if any(_PATH.search(line) for cell in source.cells for line in cell.lines):
        return  # where modules are looked for is decided in the run
    told: set[str] = set()
    made = {name for cell in source.cells for line in cell.lines for name in _MODULE_FILE.findall(line)}
    for cell in source.cells:
        unsure = _guarded(cell)
        for node in (node for node in cell.nodes if isinstance(node, _Import) and cell.runs):
            for name in sorted((_modules(node) & source.unfound) - told - made):
                excused = unsure.get(id(node))
                if excused or cell.may_fail:
                    continue
                told.add(name)
                what = f"this environment has no module `{name}`"
                cure = f"Install what provides `{name}` in the kernel's environment, or take the import out."
                level: Level = "error" if excused is None else "note"
                yield Finding(MISSING.name, level, source.place(cell, node.lineno), what, cure)


def _guarded(cell: Cell) -> dict[int, bool]:
    """Imports that a run may leave out, by node, and whether the source is ready for their failure."""
    found: dict[int, bool] = {}
    for node in cell.nodes:
        for inside, excused in _inside(node):
            for one in (one for part in inside for one in ast.walk(part) if isinstance(one, _Import)):
                found[id(one)] = found.get(id(one), False) or excused
    return found


def _inside(node: ast.AST) -> Iterator[tuple[list[ast.stmt], bool]]:
    match node:
        case ast.Try(body=body, handlers=handlers):
            if any(_expects(one.type) for one in handlers):
                yield body, True
            yield [line for one in handlers for line in one.body], False
        case ast.If(body=body, orelse=orelse):
            yield [*body, *orelse], False
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            yield body, False


def _expects(kind: ast.expr | None) -> bool:
    match kind:
        case None:
            return True
        case ast.Name(id=name):
            return name in _FAILURES
        case ast.Tuple(elts=kinds):
            return any(_expects(one) for one in kinds)
    return False


def _modules(node: _Import) -> set[str]:
    if isinstance(node, ast.Import):
        return {one.name.partition(".")[0] for one in node.names}
    return {node.module.partition(".")[0]} - {ANYTHING} if node.module and not node.level else set()


UNUSED = Rule(
    "unused-import",
    "note",
    "An import that nothing uses",
    "Nothing in the notebook or script uses the name. Whatever is imported takes part in the run all the same: it "
    "costs time, can fail, and may change what other modules do. Imports in `try`, with an underscore, and with "
    "`# noqa` are left alone.",
    _unused,
)
MISSING = Rule(
    "missing-import",
    "error",
    "An import that this environment doesn't have",
    "The kernel's Python finds no such module, so a run stops there. Install the package in the kernel's environment: "
    "what is installed is what the lock holds. A note where a run may pass it by: in functions and branches. Nothing "
    "is told where the source changes `sys.path`, or expects the failure.",
    _missing,
    without_errors,
)
