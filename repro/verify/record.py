"""The record that a run left, read as what it is: a file out of a container that somebody else made."""

import math
from collections.abc import Iterable
from pathlib import Path

from repro.errors import IntegrityError
from repro.runner.documents import Failure, MeasuredMetric, RunRecord
from repro.runner.outputs import WrittenOutput

RECORD = "record.json"
_MOST_BYTES = 64 << 20


def read_record(collected: Path | None) -> RunRecord | None:
    """The run's record, or None when it left none.

    Raises:
        IntegrityError: There is one, but not one that the runner writes.
    """
    path = None if collected is None else collected / RECORD
    if path is None or not path.is_file():
        return None
    if path.stat().st_size > _MOST_BYTES:
        raise _garbled(f"it has more than {_MOST_BYTES >> 20} MiB")
    try:
        record = RunRecord.from_json(path.read_bytes())
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise _garbled(str(error)) from error
    wrong = [name for name, fits in _shapes(record) if not fits]
    if wrong:
        raise _garbled(f"{', '.join(wrong)} of the wrong type")
    return record


def _garbled(reason: str) -> IntegrityError:
    return IntegrityError(f"the record of the run is not one that the runner writes: {reason}", where=f"/out/{RECORD}")


def _shapes(record: RunRecord) -> Iterable[tuple[str, bool]]:
    yield "lock_digest", isinstance(record.lock_digest, str)
    yield "python_version", isinstance(record.python_version, str)
    yield "python_executable", isinstance(record.python_executable, str)
    yield "packages", _texts(record.packages)
    yield "conda", _texts(record.conda)
    yield "brought", _texts(record.brought)
    yield "machine", _texts(record.machine)
    yield "settings", _texts(record.settings)
    yield "libraries", all(isinstance(item, dict) for item in record.libraries)
    yield "warnings", all(isinstance(item, str) for item in record.warnings)
    yield "metrics", all(map(_metric, record.metrics))
    yield "seconds", _number(record.seconds)
    yield "cells", all(isinstance(cell.number, int) and _number(cell.seconds) for cell in record.cells)
    yield "failure", record.failure is None or _failure(record.failure)
    yield "outputs", all(map(_output, record.outputs))


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for pair in value.items() for item in pair)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _metric(metric: MeasuredMetric) -> bool:
    texts = isinstance(metric.name, str) and isinstance(metric.source, str)
    return texts and isinstance(metric.digits, (int, type(None)))


def _output(output: WrittenOutput) -> bool:
    return all(isinstance(text, str) for text in (output.path, output.sha256, output.problem))


def _failure(failure: Failure) -> bool:
    texts = (failure.kind, failure.message, failure.source, failure.traceback, *failure.problems)
    return all(isinstance(text, str) for text in texts) and isinstance(failure.cell, (int, type(None)))
