"""What a lock says of a file that the run writes and whose content a rerun is held to, as a frozen value."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from repro.digest import Digest
from repro.lock.table import Table

OutputKind = Literal["table", "array", "figure", "text", "bytes"]

_CELL = re.compile(r"cell:([1-9][0-9]{0,5})", re.ASCII)
KINDS: tuple[OutputKind, ...] = get_args(OutputKind)


@dataclass(frozen=True, slots=True)
class ComparedOutput:
    """A file that the run wrote on the laptop.

    Attributes:
        path: POSIX path relative to the project root, or `cell:<n>` for the text that code cell n, from 1, shows.
        kind: As what it is compared when its bits differ; "bytes" for nothing but them.
        sha256: Digest of its content on the laptop.
        size: Bytes.
        absolute: Largest difference of two floats of a table or an array; of a figure, the largest root mean square
            over all pixels, of 255. None for none.
        relative: Largest difference of two floats as a share of the laptop's.
        key: Columns that tell which row of a table is which; empty for their order.
        sanitize: Whether what differs in every run (addresses, times) is passed over in a text.
        gate: Whether a difference fails the verification.
    """

    path: str
    kind: OutputKind
    sha256: Digest
    size: int
    absolute: float | None = None
    relative: float | None = None
    key: tuple[str, ...] = ()
    sanitize: bool = False
    gate: bool = True

    @property
    def content_path(self) -> str:
        """Where, below the folder beside the lock, its content is kept."""
        number = cell_number(self.path)
        return self.path if number is None else f"cell-{number}.txt"


def cell_number(path: str) -> int | None:
    """The number in `cell:3`, which stands for the text that the third code cell shows; None for a file's path."""
    match = _CELL.fullmatch(path)
    return None if match is None else int(match[1])


def read_compared(table: Table) -> ComparedOutput:
    """A table of format 1.3 (docs/formats/lock.md). Faults gather in it."""
    return ComparedOutput(
        path=table.path("path"),
        kind=table.choice("kind", KINDS),
        sha256=table.sha256("sha256"),
        size=table.size("size"),
        absolute=table.optional_positive("absolute"),
        relative=table.optional_positive("relative"),
        key=table.texts("key", required=False),
        sanitize=table.flag("sanitize", default=False),
        gate=table.flag("gate", default=True),
    )
