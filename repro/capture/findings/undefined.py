"""Rules about what can't run from the top: names that nothing has defined by then, cells that aren't Python."""

import sys
from collections.abc import Iterator

from repro.capture.findings.flow import Flow, Use
from repro.capture.findings.model import Finding, Level, Rule, without_errors
from repro.capture.findings.scopes import BUILTINS, walk
from repro.capture.findings.source import Source

_IPYTHON = {
    *("get_ipython", "display", "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh", "_exit_code"),
    *("ls", "ll", "pwd", "cd", "who", "whos", "history", "hist", "reset", "clear", "lsmagic", "magic"),
}
_REFERENCES = 10_000
"""IPython binds `_1`, `_2`, … to results and `_i1`, … to cells."""


def _undefined(source: Source) -> Iterator[Finding]:
    cells = [cell for cell in source.cells if cell.runs]
    known = {*BUILTINS, *_IPYTHON} if source.notebook else {*BUILTINS, "__file__"}
    flow = walk(cells, known)
    for use in flow.early:
        if source.notebook and _is_reference(use.name):
            continue
        level: Level = "error" if use.sure else "warning"
        what, cure = _explained(use, flow, source)
        yield Finding(UNDEFINED.name, level, source.place(cells[use.cell], use.line), what, cure)


def _is_reference(name: str) -> bool:
    number = name.removeprefix("_").removeprefix("i")
    return name.startswith("_") and number.isdecimal() and int(number) < _REFERENCES


def _explained(use: Use, flow: Flow, source: Source) -> tuple[str, str]:
    """What is wrong, and its cure."""
    user = f"`{use.function}()` needs `{use.name}`" if use.function else f"`{use.name}` is used"
    if use.name == "__file__":
        return f"{user}, which notebooks don't have", "Name the file's place in full, or start from Path.cwd()."
    deleted, first = flow.deleted.get(use.name), flow.first.get(use.name)
    cells = [cell for cell in source.cells if cell.runs]
    if deleted is not None and deleted <= (use.cell, use.line):
        place = _other(cells[deleted[0]].number, deleted[1], use.cell == deleted[0])
        return f"{user}, but deleted in {place}", f"Take out `del {use.name}`, or define it again."
    if first is not None and first > (use.cell, use.line):
        place = _other(cells[first[0]].number, first[1], use.cell == first[0])
        return (
            f"{user} here, but defined only in {place}",
            f"Define `{use.name}` above its first use, so that a run from the top finds it.",
        )
    where = "the notebook" if source.notebook else "the script"
    return (
        f"{user}, but {where} never defines it",
        f"Define `{use.name}`: the cell that did may have been deleted, or the name is misspelt."
        if source.notebook
        else f"Define or import `{use.name}`.",
    )


def _other(cell: int | None, line: int, same: bool) -> str:  # noqa: FBT001 - private, named at its calls
    return f"line {line}" if cell is None or same else f"cell {cell}"


def _syntax(source: Source) -> Iterator[Finding]:
    """Cells that don't parse. Newer Pythons than the one that asks may know more."""
    ours = ".".join(map(str, sys.version_info[:2]))
    newer = _version(source.python) > sys.version_info[:2]
    for cell in source.cells:
        if cell.error is not None and cell.runs and not cell.may_fail:
            what = f"this isn't Python ({cell.error.msg}); what else the cell does was not looked at"
            level: Level = "error"
            if newer:
                level, what = "note", f"Python {ours}, which runs repro, can't read this; it was not looked at"
            line = cell.error.lineno or 1
            yield Finding(SYNTAX.name, level, source.place(cell, line), what, "Correct it, or take the cell out.")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())


UNDEFINED = Rule(
    "undefined-name",
    "error",
    "A name is used before, or without, being defined",
    "In a run from the top, nothing has defined this name by then: the cell that did stands further down, was deleted, "
    "or ran in an earlier session only. An error where every run comes by; a warning inside of functions and branches, "
    "and where a run succeeded all the same, because something outside of the notebook may have defined the name, such "
    "as IPython's startup files, which the image doesn't have.",
    _undefined,
)
SYNTAX = Rule(
    "syntax-error",
    "error",
    "A cell is not Python",
    "The cell can't be parsed, so a run from the top stops there. No other rule has looked at it.",
    _syntax,
    without_errors,
)
