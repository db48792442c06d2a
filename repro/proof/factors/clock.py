"""Factor `clock`: the time of the laptop's run, by a shim in Python (`time`, `datetime`)."""

import re
from datetime import UTC, datetime
from pathlib import Path

from repro.errors import IntegrityError
from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap
from repro.runner.documents import RunRecord
from repro.runner.experiment import Experiment
from repro.store import kept_runs
from repro.verify.causes.clock import clock as asks_for_time
from repro.verify.record import read_record

FACTOR, TITLE = "clock", "the date"
_FIX = "Make the moment a constant or an argument of the evaluation, and capture again."
_TIME = re.compile(r"(\d{8}T\d{6}\.\d{6})Z-capture")


def clock(scene: Scene) -> Found:
    """Where the code asks for the time; the laptop's is that of the captured run, if its evidence is at hand."""
    if not any(asks_for_time(scene.situation)):
        yield LeftOut(FACTOR, TITLE, "no code of the project asks what time it is")
        return
    then = _captured(scene.project, scene.situation.laptop.record)
    if then is None:
        yield LeftOut(FACTOR, TITLE, "nothing here says when the laptop ran: a lock holds no time")
        return
    ahead = (then - datetime.now(UTC)).total_seconds()
    laptop = Setting(f"{then:%Y-%m-%d %H:%M} UTC", Experiment(clock=ahead))
    yield Swap(FACTOR, TITLE, laptop, Setting("now", Experiment(clock=0.0)), _FIX)


def _captured(project: Path | None, record: RunRecord | None) -> datetime | None:
    """When the run began that left this record."""
    if project is None or record is None:
        return None
    for directory in kept_runs(project, "capture"):
        found = _TIME.fullmatch(directory.name)
        try:
            if found and (there := read_record(directory)) is not None and there.to_json() == record.to_json():
                return datetime.strptime(found[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
        except IntegrityError:
            continue
    return None
