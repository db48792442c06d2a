"""What a report may show: the verdict, the lock that judged, what the run left. Gathered here, rendered elsewhere."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, lock_body, parse_lock
from repro.runner.documents import RunRecord, same_bits
from repro.store import kept_runs
from repro.verify.document import parse_verdict
from repro.verify.evidence import JUDGED, LOG
from repro.verify.model import Verdict
from repro.verify.record import read_record

VERDICT = "verdict.json"
_NOTEBOOK = "executed.ipynb"
_OUTPUT = "output.log"
_MOST_BYTES = 64 << 20
"""Notebooks and logs of more bytes are left out."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What one run of the subject showed.

    Attributes:
        kind: An executed notebook, or what a script printed.
        data: Its bytes, as they are.
        origin: Which run that was, for people.
    """

    kind: str
    data: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that a report may show. What is not at hand is None.

    Attributes:
        verdict: The verdict.
        lock: The lock that judged.
        record: What the run said of itself.
        here: What the run in the image showed.
        laptop: What the author's run showed.
        laptop_record: What that run said of itself.
    """

    verdict: Verdict
    lock: Lock | None = None
    record: RunRecord | None = None
    here: Executed | None = None
    laptop: Executed | None = None
    laptop_record: RunRecord | None = None

    def passing(self) -> "Dossier":
        """The same of a run whose evidence will be gone."""
        return replace(self, verdict=replace(self.verdict, evidence=None))


def gather(verdict: Verdict, lock: Lock | None, project: Path | None) -> Dossier:
    """The verdict with all that its evidence directory and the project have.

    Args:
        verdict: What was judged.
        lock: By what; None for the lock in the evidence.
        project: Where the laptop's notebook and the evidence of captures are, or None.

    Raises:
        IntegrityError: The lock in the evidence is another than the verdict names, or can't be read.
    """
    folder = None if verdict.evidence is None else Path(verdict.evidence)
    if lock is None and folder is not None:
        lock = _judging(verdict, folder / JUDGED)
    dossier = Dossier(verdict, lock)
    if folder is not None:
        dossier = replace(dossier, record=_record(folder), here=_executed(folder, "the run in the image"))
    if lock is not None and project is not None:
        laptop, said = _laptop(lock, project)
        dossier = replace(dossier, laptop=laptop, laptop_record=said)
    return dossier


def read_run(path: Path) -> Dossier:
    """The dossier of a kept run: its directory, or the verdict in it.

    Raises:
        UsageError: There is no verdict.
        IntegrityError: The verdict can't be read.
    """
    file = path / VERDICT if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            "there is no verdict of a run",
            where=str(file),
            fix="Name a directory below .repro/runs that `repro verify` made, or the JSON that it wrote.",
        )
    folder = file.absolute().parent
    try:
        verdict = parse_verdict(file.read_bytes(), where=str(file))
    except RecursionError as error:
        raise IntegrityError("the verdict is damaged: too much is nested in it", where=str(file)) from error
    if (folder / LOG).is_file():  # it may have been moved since
        verdict = replace(verdict, evidence=str(folder))
    project = next((above.parent for above in folder.parents if above.name == ".repro"), None)
    return gather(verdict, None, project)


def _judging(verdict: Verdict, path: Path) -> Lock | None:
    """The kept lock, if it is the one that the verdict names."""
    if verdict.lock is None or not path.is_file():
        return None
    data = path.read_bytes()
    if str(Digest.of(lock_body(data))) != verdict.lock.digest:
        raise IntegrityError("this is not the lock that the verdict names", where=str(path))
    return parse_lock(data, where=str(path))


def _record(folder: Path) -> RunRecord | None:
    try:
        return read_record(folder)
    except IntegrityError:  # the verdict says so
        return None


def _executed(folder: Path, origin: str) -> Executed | None:
    for kind, name in (("notebook", _NOTEBOOK), ("output", _OUTPUT)):
        path = folder / name
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            return Executed(kind, path.read_bytes(), origin)
    return None


def _laptop(lock: Lock, project: Path) -> tuple[Executed | None, RunRecord | None]:
    """The author's run: what a capture here kept of it, else the locked notebook with the outputs stored in it."""
    for folder in kept_runs(project, "capture"):
        record = _record(folder)
        found = _executed(folder, "the captured run") if record and _same_values(lock, record) else None
        if found is not None and _same_code(lock, found, project):
            return found, record
    return _locked(lock, project), None


def _same_values(lock: Lock, record: RunRecord) -> bool:
    """Whether a run gave the lock's baselines."""
    found = {metric.name: metric.value for metric in record.metrics}
    return record.failure is None and all(
        metric.name in found and same_bits(metric.value, found[metric.name]) for metric in lock.metrics
    )


def _same_code(lock: Lock, run: Executed, project: Path) -> bool:
    """Whether a run is of the locked notebook; not known where that is gone."""
    locked = _locked(lock, project)
    if run.kind != "notebook":
        return True
    return locked is not None and _sources(run.data) == _sources(locked.data)


def _locked(lock: Lock, project: Path) -> Executed | None:
    file = next((one for one in lock.files if one.path == lock.subject.path), None)
    path = project / lock.subject.path
    if lock.subject.kind != "notebook" or file is None or not path.is_file():
        return None
    data = path.read_bytes()
    return Executed("notebook", data, "the locked notebook, as stored") if Digest.of(data) == file.sha256 else None


def _sources(notebook: bytes) -> list[str]:
    """The source of each code cell; nothing of what is no notebook."""
    try:
        cells = json.loads(notebook)["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return []
