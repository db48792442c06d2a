"""Factor `directory-order`: in which order folders are listed, by a shim in Python (os.listdir, os.scandir)."""

import json

from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap, same
from repro.runner.experiment import Experiment
from repro.runner.observed import Listing, Observed
from repro.verify.causes.order import directory_order as in_another_order

FACTOR, TITLE = "directory-order", "the order of directories"
_FIX = "Sort what listdir, glob and iterdir give: sorted(...); then capture again."
_MOST_BYTES = 60_000
"""An argument, and a variable, of a program can't be longer than 128 KiB on Linux."""


def directory_order(scene: Scene) -> Found:
    """By the listings of both runs; where the laptop's isn't at hand, sorted and reversed are tried."""
    laptop, here = _listings(scene.situation.laptop.observed), _listings(scene.situation.here.observed)
    if not here:
        yield LeftOut(FACTOR, TITLE, "the run listed no folder of the project in Python")
        return
    now = Setting("as this one does", Experiment(order="given"))
    if not laptop.keys() & here.keys():
        for order in ("sorted", "reversed"):
            yield Swap(FACTOR, TITLE, Setting(order, Experiment(order=order)), now, _FIX, known=False)
        return
    suspected = {cause.where for cause in in_another_order(scene.situation)}
    differing = {path: one for path, one in laptop.items() if (path or ".") in suspected}
    if not differing:
        yield same(FACTOR, TITLE, f"in {', '.join(path or 'the project' for path in laptop)}")
        return
    listed = Experiment(order="listed", listings={path: list(one.names) for path, one in differing.items()})
    where = ", ".join(path or "the project" for path in sorted(differing))
    if len(json.dumps(listed.listings)) > _MOST_BYTES:
        yield LeftOut(FACTOR, TITLE, f"it differs in {where}, which has more names than a run can be told")
    else:
        yield Swap(FACTOR, TITLE, Setting(f"as its file system lists {where}", listed), now, _FIX)


def _listings(observed: Observed | None) -> dict[str, Listing]:
    return {} if observed is None else {one.folder: one for one in observed.listings}
