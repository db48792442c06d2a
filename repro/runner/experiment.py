"""A run that is no verification: something is set otherwise than the lock says, to see whether a metric follows.

The document is an argument of the runner (`--experiment JSON`). A verification passes no arguments and refuses a record
that is marked as an experiment, so that neither can be taken for the other.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .documents import Evaluation

ORDERS = ("", "given", "sorted", "reversed", "listed")
HOOK = Path(__file__).parent / "hook" / "repro_swaps.py"
"""What sets the order of directories and the clock inside the evaluation's interpreters."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Experiment:
    """What is set, on top of the evaluation.

    Attributes:
        environment: Variables.
        order: How directories are listed: `given` (as the file system does, but through the same shim), `sorted`,
            `reversed`, or as `listed`; "" leaves listing alone.
        listings: Names in each folder, by its path below the project, for `listed`.
        clock: Seconds that the clock is ahead of the machine's; None leaves it alone.
    """

    environment: dict[str, str] = field(default_factory=dict)
    order: str = ""
    listings: dict[str, list[str]] = field(default_factory=dict)
    clock: float | None = None

    def to_json(self) -> str:
        """The document on one line."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        data = json.loads(text)
        try:
            found = cls(dict(data["environment"]), data["order"], dict(data["listings"]), data["clock"])
            fits = all(_NAME.fullmatch(name) and "\0" not in value for name, value in found.environment.items())
        except (KeyError, TypeError, ValueError) as error:
            msg = f"not an experiment: {error}"
            raise ValueError(msg) from error
        if not fits or found.order not in ORDERS or not isinstance(found.clock, (int, float, type(None))):
            msg = f"not an experiment: {text}"
            raise ValueError(msg)
        return found

    def applied(self, evaluation: Evaluation, root: Path) -> Evaluation:
        """The evaluation in these circumstances, for a project that is at `root`."""
        shim = {"REPRO_SWAP_ORDER": self.order} if self.order else {}
        if self.listings:
            shim["REPRO_SWAP_LISTINGS"] = json.dumps({str(root / path): names for path, names in self.listings.items()})
        if self.clock is not None:
            shim["REPRO_SWAP_CLOCK"] = repr(float(self.clock))
        return replace(evaluation, environment={**evaluation.environment, **self.environment, **shim})

    @property
    def hooks(self) -> tuple[Path, ...]:
        """Files for the hook's folder."""
        return (HOOK,) if self.order or self.clock is not None else ()
