"""The two documents of the runner: the evaluation it is given and the record it leaves. See docs/formats/run.md."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .outputs import WrittenOutput
from .values import Value, decode_value, encode_value, same_bits

__all__ = [
    "CellRun",
    "Evaluation",
    "ExpectedMetric",
    "Failure",
    "MeasuredMetric",
    "RunRecord",
    "StagedFile",
    "Value",
    "WrittenOutput",
    "decode_value",
    "encode_value",
    "same_bits",
]

EVALUATION_SCHEMA = "repro.evaluation/1"
RECORD_SCHEMA = "repro.run/1"


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
    """A baseline: its value, how far a measured one may be from it, and its gates (see `repro.lock.Metric`).

    Inside any one of the tolerances is enough; with none of them it is exact.

    Attributes:
        name: Of the metric.
        value: Exact value on the laptop.
        direction: "higher" or "lower" is better, or None.
        absolute: Largest distance, in the metric's unit.
        relative: Largest distance, as a share of the value.
        accept_improvement: Whether a move beyond the tolerance passes when it is for the better.
        ulp: Largest distance in units in the last place of 64-bit floats.
        digits: Digits after the point that were printed: one unit of the last one may differ.
        samples: How many samples the value counts, or is a share of.
        flips: How many of them may come out otherwise.
        band: Values of several runs on the laptop: their prediction interval is the tolerance.
        minimum: Gate: the least that passes, whatever the baseline.
        maximum: Gate: the most that passes.
    """

    name: str
    value: Value
    direction: str | None = None
    absolute: float | None = None
    relative: float | None = None
    accept_improvement: bool = False
    ulp: int | None = None
    digits: int | None = None
    samples: int | None = None
    flips: int = 0
    band: tuple[float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def to_data(self) -> dict[str, Any]:
        """For JSON. What locks before 1.3 can't say is left out where it says nothing: their evaluations stay."""
        data = {**asdict(self), "value": encode_value(self.value)}
        return {key: one for key, one in data.items() if key not in _LATER or one != _LATER[key]}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> ExpectedMetric:
        """The inverse. Raises KeyError and TypeError for another shape, ValueError for a value that is none."""
        return cls(**{**data, "value": decode_value(data["value"]), "band": tuple(data.get("band", ()))})


_LATER: dict[str, Any] = {one.name: one.default for one in fields(ExpectedMetric)[6:]}  # after accept_improvement


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
        metrics_exclude: Globs of metrics that don't count; empty during capture.
        metrics: Baselines; empty during capture.
        files: Files to stage; empty during capture, which runs in place.
        directories: Folders, relative to the project root, that the run writes into, lists or enters, and may expect to
            find.
        outputs: Files, relative to the project root, that the run writes and that are kept; empty during capture.
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
    metrics_exclude: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Canonical bytes: sorted keys, compact, ASCII, one newline at the end."""
        data = asdict(self)
        data["schema"] = EVALUATION_SCHEMA
        data["metrics"] = [metric.to_data() for metric in self.metrics]
        if not self.metrics_exclude:
            del data["metrics_exclude"]  # as before lock 1.3
        if not self.outputs:
            del data["outputs"]  # likewise
        return _canonical(data)

    @classmethod
    def from_json(cls, text: bytes) -> Evaluation:
        """Read what `to_json` wrote. Raises ValueError for another schema or shape."""
        data = _checked(text, EVALUATION_SCHEMA)
        try:
            data["args"] = tuple(data["args"])
            data["metrics_files"] = tuple(data["metrics_files"])
            data["metrics_exclude"] = tuple(data.get("metrics_exclude", ()))
            data["metrics"] = tuple(ExpectedMetric.from_data(metric) for metric in data["metrics"])
            data["files"] = tuple(StagedFile(**file) for file in data["files"])
            data["directories"] = tuple(data["directories"])
            data["outputs"] = tuple(data.get("outputs", ()))
            return cls(**data)
        except (KeyError, TypeError) as error:
            msg = f"not an evaluation: {error}"
            raise ValueError(msg) from error


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric that the run reported.

    `source` is a file path, `cell:<n>`, `scrapbook:<n>`, `display:<n>` or `printed:<n>`, n being the code cell's number
    from 1, or `mlflow:<place>` or `tensorboard:<place>`. `digits` is how many were printed after the point, of a float
    in what was printed, less the exponent; else None.
    """

    name: str
    value: Value
    source: str
    digits: int | None = None

    def to_data(self) -> dict[str, Any]:
        """For JSON; `digits` only where there are some."""
        data = {"name": self.name, "value": encode_value(self.value), "source": self.source}
        return data if self.digits is None else {**data, "digits": self.digits}


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
        conda: Of conda packages in its prefix, name → version and build, separated by a blank.
        brought: Of those of `packages` that came with a conda package, name → its name.
        machine: `platform`, `processor`, `cpus`, `memory_limit` and the like, for people.
        libraries: Libraries with thread pools that were loaded: `name`, `file`, `version`, `kernel`, `threads` of each.
        experiment: What was set otherwise than the lock says (see `experiment`): then it verifies nothing. Else None.
        settings: How the interpreter was set: `build`, `locale`, `time zone`, `hash seed`, `$NAME` for variables that
            steer numbers, and what numerical packages chose for this CPU (see `asked` and hook/repro_libraries.py).
        outputs: What was kept of the evaluation's outputs, in their order; none where it failed.
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
    conda: dict[str, str] = field(default_factory=dict)
    brought: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    libraries: tuple[dict[str, Any], ...] = ()
    experiment: dict[str, Any] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    outputs: tuple[WrittenOutput, ...] = ()

    def to_json(self) -> bytes:
        """The record as JSON, sorted keys."""
        data = asdict(self)
        data["schema"] = RECORD_SCHEMA
        data["metrics"] = [metric.to_data() for metric in self.metrics]
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
            data["outputs"] = tuple(WrittenOutput(**one) for one in data.get("outputs", ()))
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
