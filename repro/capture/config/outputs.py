"""The table `[outputs]` → `OutputPolicy`. Faults are gathered in the table, with their paths."""

import posixpath
from collections.abc import Iterator, Mapping

from repro.capture.config.model import OutputPolicy
from repro.lock import OutputKind, cell_number
from repro.lock.compared import KINDS
from repro.lock.table import Table
from repro.outputs.kinds import ARRAYS, DELIMITERS, FEATHER, FIGURES, PARQUET, RECORDS, kind_of, suffix

ABSOLUTE, RELATIVE = 1e-9, 1e-6
"""For floats that the author says nothing of, as for metrics (docs/adr/0013-floats-within-a-millionth.md)."""
PIXELS = 2.0
"""Of 255, for figures: what pytest-mpl takes for the same picture."""

_FORMATS: Mapping[OutputKind, tuple[str, ...]] = {
    "table": (*DELIMITERS, *RECORDS, *PARQUET, *FEATHER),
    "array": ARRAYS,
    "figure": FIGURES,
}


def read_outputs(table: Table) -> Iterator[tuple[str, OutputPolicy]]:
    """(path or glob, policy) of each table in it."""
    for path in table.keys():  # noqa: SIM118 - a Table is not a mapping
        inside = posixpath.normpath(path) == path and not path.startswith(("/", "../")) and path not in {"", ".", ".."}
        if not inside:
            table.fault(path, f"must be a path inside the project, relative to its root, not {path!r}")
        yield path, _policy(path, table.table(path))


def _policy(path: str, table: Table) -> OutputPolicy:
    kind = table.optional_choice("kind", KINDS) or kind_of(path)
    if cell_number(path) and kind != "text":
        table.fault("kind", "must be text: that is what a cell shows")
    formats = _FORMATS.get(kind)
    if formats and not cell_number(path) and suffix(path) not in formats:
        table.fault("kind", f"{kind} is for files that end in {', '.join(formats)}")
    for key, kinds in _ONLY.items():
        if table.has(key) and kind not in kinds:
            table.fault(key, f"is for outputs of kind {' or '.join(kinds)}; this one is {kind}")
    absolute, relative = _tolerance(table, kind)
    return OutputPolicy(
        kind=kind,
        absolute=absolute,
        relative=relative,
        key=table.texts("key", required=False),
        sanitize=table.flag("sanitize", default=kind == "text"),
        gate=table.flag("gate", default=kind != "figure"),
    )


_ONLY: Mapping[str, tuple[OutputKind, ...]] = {
    "absolute": ("table", "array", "figure"),
    "relative": ("table", "array"),
    "exact": ("table", "array", "figure"),
    "key": ("table",),
    "sanitize": ("text",),
}


def _tolerance(table: Table, kind: OutputKind) -> tuple[float | None, float | None]:
    """What the author says, else what the kind suggests."""
    exact = table.flag("exact", default=False)
    said = table.optional_positive("absolute"), table.optional_positive("relative")
    if exact and said != (None, None):
        table.fault("exact", "can't be combined with absolute or relative")
    if exact or said != (None, None):
        return said
    if kind == "figure":
        return PIXELS, None
    return (ABSOLUTE, RELATIVE) if kind in ("table", "array") else (None, None)
