"""The two documents of the runner: the evaluation it is given and the record it leaves. See docs/formats/run.md."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import asdict, dataclass, field
from typing import Any, Union

EVALUATION_SCHEMA = "repro.evaluation/1"
RECORD_SCHEMA = "repro.run/1"

Value = Union[float, int, bool, str]


def encode_value(value: Value) -> dict[str, str]:
    """A metric's value as JSON that loses nothing: its type and its text (floats by `repr`, which reads back exactly).

    Raises TypeError for anything but float, int, bool and str.
    """
    if isinstance(value, bool):
        return {"type": "bool", "text": "true" if value else "false"}
    for kind in (int, float, str):
        if isinstance(value, kind):
            return {"type": kind.__name__, "text": kind.__repr__(value) if kind is not str else str(value)}
    msg = f"a metric can't be a {type(value).__name__}"
    raise TypeError(msg)


def decode_value(data: dict[str, str]) -> Value:
    """The inverse of `encode_value`. Raises ValueError for an unknown type or text that doesn't fit it."""
    kind, text = data["type"], data["text"]
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "str":
        return text
    msg = f"not a metric value: {data!r}"
    raise ValueError(msg)


def same_bits(left: Value, right: Value) -> bool:
    """Whether two values are the same type and, for floats, the same 64 bits; any NaN equals any NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack("<d", left) == struct.pack("<d", right)
    return left == right


@dataclass(frozen=True)
class StagedFile:
    """A file the evaluation needs, to be laid out at `path` below the working tree after its sha256 was checked.

    With `mount` it isn't in the image: whoever runs that has to bring it.
    """

    path: str
    role: str
    sha256: str
    size: int
    executable: bool = False
    mount: bool = False


@dataclass(frozen=True)
class ExpectedMetric:
    """A baseline: its value and how far a measured one may be from it (see `repro.lock.Metric`)."""

    name: str
    value: Value
    direction: str | None = None
    absolute: float | None = None
    relative: float | None = None
    accept_improvement: bool = False


@dataclass(frozen=True)
class Evaluation:
    """What to run and what to expect.

    Attributes:
        kind: "notebook" or "script".
        path: Subject, relative to the project root; its directory is the working directory.
        args: Arguments of a script.
        python: Absolute path of the interpreter whose environment counts.
        python_version: The exact version that the laptop had.
        lock_digest: `sha256:…` of the lock, "" during capture, when there is none yet.
        environment: Variables set for the evaluation on top of the inherited ones.
        timeout: Seconds for everything, or None.
        cell_timeout: Seconds for one cell, or None.
        metrics_files: Files, relative to the project root, that the run writes metrics to.
        metrics: Baselines; empty during capture.
        files: Files to stage; empty during capture, which runs in place.
        directories: Folders, relative to the project root, that the run writes into and may expect to find.
    """

    kind: str
    path: str
    python: str
    python_version: str
    args: tuple[str, ...] = ()
    lock_digest: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    cell_timeout: float | None = None
    metrics_files: tuple[str, ...] = ("metrics.json",)
    metrics: tuple[ExpectedMetric, ...] = ()
    files: tuple[StagedFile, ...] = ()
    directories: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Canonical bytes: sorted keys, compact, ASCII, one newline at the end."""
        data = asdict(self)
        data["schema"] = EVALUATION_SCHEMA
        data["metrics"] = [{**asdict(metric), "value": encode_value(metric.value)} for metric in self.metrics]
        return _canonical(data)

    @classmethod
    def from_json(cls, text: bytes) -> Evaluation:
        """Read what `to_json` wrote. Raises ValueError for another schema or shape."""
        data = _checked(text, EVALUATION_SCHEMA)
        try:
            data["args"] = tuple(data["args"])
            data["metrics_files"] = tuple(data["metrics_files"])
            data["metrics"] = tuple(
                ExpectedMetric(**{**metric, "value": decode_value(metric["value"])}) for metric in data["metrics"]
            )
            data["files"] = tuple(StagedFile(**file) for file in data["files"])
            data["directories"] = tuple(data["directories"])
            return cls(**data)
        except (KeyError, TypeError) as error:
            msg = f"not an evaluation: {error}"
            raise ValueError(msg) from error


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric that the run reported.

    `source` is a file path, `cell:<n>`, `scrapbook:<n>`, `display:<n>` or `printed:<n>`, n being the code cell's number
    from 1, or `mlflow:<place>` or `tensorboard:<place>`.
    """

    name: str
    value: Value
    source: str


@dataclass(frozen=True)
class Failure:
    """Why an evaluation did not complete.

    Attributes:
        kind: "cell" (a cell or the script raised), "died" (the kernel or script was killed), "memory", "timeout",
            "start" (the kernel did not come up), "tampered" (a staged file is not what the lock says),
            "unmounted" (files that are not in the image were not brought),
            "metrics" (a metrics file that can't be read, or one name with two values).
        message: One sentence, which doesn't name the cell.
        cell: Number of the cell, from 1 as in the notebook's order of code cells, or None.
        source: The cell's source, or "".
        traceback: As printed, without colours, or the end of the script's standard error.
        problems: Single faults, such as each tampered file.
    """

    kind: str
    message: str
    cell: int | None = None
    source: str = ""
    traceback: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellRun:
    """One executed code cell: its number from 1 and how long it took in seconds."""

    number: int
    seconds: float


@dataclass(frozen=True)
class RunRecord:
    """What came of one evaluation. Volatile (durations, host): evidence, never part of a lock.

    Attributes:
        lock_digest: Copied from the evaluation.
        failure: None when it ran to its end.
        metrics: In the order reported.
        warnings: Things a person should know, such as a metrics file that an earlier run left.
        cells: Executed code cells.
        seconds: Whole duration.
        python_version: Version that really ran.
        python_executable: Its path.
        packages: Normalised name → version, as the evaluation's interpreter sees them.
        machine: `platform`, `processor`, `cpus`, `memory_limit` and the like, for people.
        libraries: Libraries with thread pools that were loaded: `name`, `file`, `version`, `kernel`, `threads` of each.
    """

    lock_digest: str = ""
    failure: Failure | None = None
    metrics: tuple[MeasuredMetric, ...] = ()
    warnings: tuple[str, ...] = ()
    cells: tuple[CellRun, ...] = ()
    seconds: float = 0.0
    python_version: str = ""
    python_executable: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    libraries: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> bytes:
        """The record as JSON, sorted keys."""
        data = asdict(self)
        data["schema"] = RECORD_SCHEMA
        data["metrics"] = [{**asdict(metric), "value": encode_value(metric.value)} for metric in self.metrics]
        return _canonical(data)

    @classmethod
    def from_json(cls, text: bytes) -> RunRecord:
        """Read what `to_json` wrote. Raises ValueError for another schema or shape."""
        data = _checked(text, RECORD_SCHEMA)
        try:
            if data["failure"] is not None:
                data["failure"] = Failure(**{**data["failure"], "problems": tuple(data["failure"]["problems"])})
            data["metrics"] = tuple(
                MeasuredMetric(**{**metric, "value": decode_value(metric["value"])}) for metric in data["metrics"]
            )
            data["warnings"] = tuple(data["warnings"])
            data["cells"] = tuple(CellRun(**cell) for cell in data["cells"])
            data["libraries"] = tuple(data.get("libraries", ()))
            return cls(**data)
        except (KeyError, TypeError) as error:
            msg = f"not a run record: {error}"
            raise ValueError(msg) from error


def _canonical(data: dict[str, Any]) -> bytes:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def _checked(text: bytes, schema: str) -> dict[str, Any]:
    data = json.loads(text)
    if not isinstance(data, dict) or data.pop("schema", None) != schema:
        msg = f"not a {schema} document"
        raise ValueError(msg)
    return data
