"""Whether a lock is still true of its project: what capture would lock now, as far as that shows without a run."""

from repro.differ.check.model import Finding, Item, Level, Report, Status
from repro.differ.check.stage import check

__all__ = ["Finding", "Item", "Level", "Report", "Status", "check"]
