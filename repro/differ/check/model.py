"""What a check says, as frozen values. Its file format is described in docs/formats/diff.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PREDICTIONS = "predictions"
"""What findings about a lock that contradicts itself are about."""

Level = Literal["stale", "warning", "note"]
"""`stale`: capture would write another lock, or none. `warning`: it may. `note`: worth knowing."""

Status = Literal["true", "stale", "warning", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a lock and its project.

    Attributes:
        level: How much it says.
        path: The file that it is about, relative to the project root; "" where it is about none.
        subject: File, package or setting, for people.
        what: What is there, one sentence without a full stop.
        cure: What to do; "" where capturing again is all.
        details: Lines that tell more, such as the cells that changed.
    """

    level: Level
    path: str
    subject: str
    what: str
    cure: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at.

    Attributes:
        name: `lock`, `subject`, `files`, `inputs`, `settings`, `requirements` or `environment`.
        what: What was looked at, for people, such as `6 files, 122.1 kB`; or why nothing could be.
        findings: What was found.
        skipped: Whether nothing could be looked at.
    """

    name: str
    what: str
    findings: tuple[Finding, ...] = ()
    skipped: bool = False

    @property
    def status(self) -> Status:
        """The worst that was found."""
        levels = {one.level for one in self.findings}
        if "stale" in levels:
            return "stale"
        if "warning" in levels:
            return "warning"
        return "skipped" if self.skipped else "true"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one lock.

    Attributes:
        lock: The file.
        digest: Its lock digest.
        subject: The notebook or script, relative to the project root.
        args: Arguments of a script.
        items: What was looked at, in that order.
        seconds: How long it took.
    """

    lock: Path
    digest: str
    subject: str
    args: tuple[str, ...]
    items: tuple[Item, ...]
    seconds: float

    @property
    def stale(self) -> bool:
        """Whether the lock is no longer true."""
        return any(item.status == "stale" for item in self.items)

    @property
    def edited(self) -> bool:
        """Whether the lock contradicts itself."""
        return any(finding.subject == PREDICTIONS for item in self.items for finding in item.findings)

    @property
    def warned(self) -> bool:
        """Whether there is any warning."""
        return any(finding.level == "warning" for item in self.items for finding in item.findings)
