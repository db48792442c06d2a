"""The outputs that a run left, against those of the lock: whether they decide the verdict, and in which words."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.lock import ComparedOutput, Lock, cell_number
from repro.outputs.compare import cell_text
from repro.outputs.judge import Left, compare_output, is_regular
from repro.outputs.model import OutputComparison
from repro.runner.documents import RunRecord
from repro.runner.outputs import FOLDER, WrittenOutput
from repro.verify.judge import Judgement
from repro.verify.model import Outcome
from repro.verify.repeats import read_shown
from repro.words import count

BASELINES = "*.baseline"
"""Folders beside a lock in which capture keeps the content of outputs."""
PICTURES, CELLS = "pictures", "cells"
_JUDGED = (Outcome.VERIFIED, Outcome.MISMATCH, Outcome.NOT_COMPARABLE)
_WORDS = (
    ("moved", "differs", "differ"),
    ("missing", "is missing", "are missing"),
    ("unread", "differs, and how can't be told", "differ, and how can't be told"),
)
_FIX = "See where they differ, above; what may differ gets a tolerance in repro.toml, [outputs], and is captured again."


def with_outputs(
    judgement: Judgement, lock: Lock, collected: Path | None, record: RunRecord | None, project: Path | None
) -> tuple[Judgement, tuple[OutputComparison, ...]]:
    """Compare the outputs of a run that ended well; returns its judgement with what they add, and each comparison.

    Args:
        judgement: By the metrics.
        lock: What it is judged by.
        collected: What the run left. Pictures of figures that differ are put there, to be kept with the evidence.
        record: Its record, or None where that can't be read, which the judgement says.
        project: Directory of the lock, with the content of its outputs, or None.
    """
    if judgement.outcome not in _JUDGED or not lock.compared or collected is None:
        return judgement, ()
    told = {} if record is None else {output.path: output for output in record.outputs}
    pictures = _new_folder(collected, PICTURES)
    cells = _new_folder(collected, CELLS)
    outputs = tuple(
        compare_output(output, _left(output, collected, told, cells), _baseline(output, project), pictures)
        for output in sorted(lock.compared, key=lambda one: one.path)
    )
    return _with_failed(judgement, outputs), outputs


def _with_failed(judgement: Judgement, outputs: Sequence[OutputComparison]) -> Judgement:
    """The judgement once outputs count, too."""
    failed = [output for output in outputs if not output.passed]
    if not failed:
        same = sum(output.status == "same" for output in outputs)
        told = count(len(outputs), "output") + (f": {same} the same" if same < len(outputs) else " the same")
        return replace(judgement, reason=f"{judgement.reason}; {told}")
    reason = "; ".join(_reasons(failed))
    if judgement.outcome is Outcome.VERIFIED:
        reason = f"{judgement.reason}, but {reason}"
        return replace(judgement, outcome=Outcome.MISMATCH, reason=reason, fix=_FIX)
    return replace(judgement, reason=f"{judgement.reason}; {reason}")


def _reasons(failed: Sequence[OutputComparison]) -> Iterator[str]:
    for status, one, several in _WORDS:
        names = [output.name for output in failed if output.status == status]
        if names:
            yield f"{', '.join(names)} {one if len(names) == 1 else several}"


def _left(output: ComparedOutput, collected: Path, told: Mapping[str, WrittenOutput], cells: Path) -> Left:
    """What there is of it: the file itself, or what the record says of one that was too large to copy."""
    number = cell_number(output.path)
    if number is not None:
        return _cell(number, collected, cells / output.content_path)
    place = collected / FOLDER / output.path
    record = told.get(output.path)
    if is_regular(place):
        return Left(place)
    if record is None:
        return Left()
    with suppress(ValueError):
        return Left(sha256=Digest(record.sha256), problem=record.problem)
    return Left(problem=record.problem)


def _cell(number: int, collected: Path, place: Path) -> Left:
    """What a code cell showed, written to a file of its own, which is kept with the evidence."""
    notebook = read_shown(collected)
    text = None
    with suppress(KeyError, TypeError, AttributeError):  # no notebook that the runner writes
        text = cell_text(notebook, number) if isinstance(notebook, Mapping) else None
    if text is None:
        return Left(problem="the run here has no such code cell")
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(text.encode("utf-8", "surrogatepass"))
    return Left(place)


def _baseline(output: ComparedOutput, project: Path | None) -> Path | None:
    """Its content on the laptop, wherever beside the lock: the digest tells."""
    if project is None:
        return None
    for folder in sorted(project.glob(BASELINES)):
        place = folder / output.content_path
        with suppress(OSError):
            if is_regular(place) and place.stat().st_size == output.size and Digest.of_file(place) == output.sha256:
                return place
    return None


def _new_folder(collected: Path, name: str) -> Path:
    """A name in it that isn't taken: what is in there comes from the container."""
    names = (f"{name}{number or ''}" for number in range(100_000))
    return next(collected / name for name in names if not (collected / name).exists())
