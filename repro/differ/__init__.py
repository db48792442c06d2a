"""What changed between two locks, images or a lock and the working tree, and whether a lock is still true.

Nothing is run and nothing is written; a difference is data, which `repro.report` shows.
"""

from repro.differ.compare import difference
from repro.differ.model import Change, Difference, Group, Kind, Section, Side
from repro.differ.state import PackageFacts, State

__all__ = [
    "Change",
    "Difference",
    "Group",
    "Kind",
    "PackageFacts",
    "Section",
    "Side",
    "State",
    "difference",
]
