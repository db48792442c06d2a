"""Rule `directory-order`: a folder's entries come in another order."""

from collections.abc import Iterator

from repro.runner.observed import Listing, Observed
from repro.verify.causes.calls import calls
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import cell, in_, listed
from repro.verify.model import Cause

_LISTERS = {"os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob"}
_METHODS = (".iterdir", ".glob", ".rglob", ".walk")


def directory_order(situation: Situation) -> Iterator[Cause]:
    """Folders that both runs listed. Imports list the root as well, so there the code has to ask for it."""
    laptop, here = _listings(situation.laptop.observed), _listings(situation.here.observed)
    for folder in here.keys() & laptop.keys():
        both = set(laptop[folder].names) & set(here[folder].names)
        left, right = ([name for name in one[folder].names if name in both] for one in (laptop, here))
        if left == right or not (folder or _lists(situation)):
            continue
        yield Cause(
            rule="directory-order",
            message=f"the files in {folder or 'the project'} come in another order{in_(cell(here[folder].cell))}",
            laptop=listed(left),
            here=listed(right),
            where=folder or ".",
            confidence="likely",
            fix="Sort what listdir, glob and iterdir give: sorted(...); then capture again.",
        )


def _listings(observed: Observed | None) -> dict[str, Listing]:
    return {} if observed is None else {one.folder: one for one in observed.listings}


def _lists(situation: Situation) -> bool:
    return any(call.name in _LISTERS or call.name.endswith(_METHODS) for call in calls(situation.sources))
