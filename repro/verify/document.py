"""Verdict ↔ JSON, `repro.verdict/1` (docs/formats/verdict.md). Values keep every bit."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from repro.engines.model import EngineInfo
from repro.errors import IntegrityError
from repro.outputs.model import OutputComparison
from repro.runner.compare import Comparison
from repro.runner.documents import CellRun, Failure, Value, decode_value, encode_value
from repro.verify.model import (
    Cause,
    Finding,
    GateResult,
    ImageSummary,
    LockSummary,
    MetricRuns,
    Outcome,
    RunsSummary,
    RunSummary,
    Verdict,
)

SCHEMA = "repro.verdict/1"
_EXACT = ("baseline", "measured", "difference")
_SERIES = ("baseline", "values")
_T = TypeVar("_T")


def render_verdict(verdict: Verdict) -> bytes:
    """The verdict as JSON: indented, UTF-8, one newline at the end."""
    data = {
        "schema": SCHEMA,
        "outcome": str(verdict.outcome),
        "exit_code": int(verdict.outcome.exit_code),
        "reason": verdict.reason,
        "fix": verdict.fix,
        "repro": verdict.repro,
        "created": verdict.created,
        "image": _plain(verdict.image),
        "lock": _plain(verdict.lock),
        "metrics": [_metric(comparison) for comparison in verdict.metrics],
        "findings": [_plain(finding) for finding in verdict.findings],
        "run": _run(verdict.run),
        "engine": _plain(verdict.engine),
        "evidence": verdict.evidence,
        "gates": [{**asdict(gate), "measured": encode_exactly(gate.measured)} for gate in verdict.gates],
        "causes": [_plain(cause) for cause in verdict.causes],
        "runs": _runs(verdict.runs),
        "outputs": [_plain(output) for output in verdict.outputs],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def parse_verdict(data: bytes, *, where: str = "verdict") -> Verdict:
    """Read what `render_verdict` wrote; fields it doesn't know are ignored.

    Raises:
        IntegrityError: It isn't a verdict of this major version.
    """
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise IntegrityError(f"not a {SCHEMA} document", where=where)
        return _verdict(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"the verdict is damaged: {error}", where=where) from error


def encode_exactly(value: Value | None) -> dict[str, Any] | None:
    """A value as its type and exact text, and as a plain JSON number where there is one."""
    if value is None:
        return None
    encoded: dict[str, Any] = {**encode_value(value)}
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        encoded["number"] = value
    return encoded


def _metric(comparison: Comparison) -> dict[str, Any]:
    exact = {name: encode_exactly(getattr(comparison, name)) for name in _EXACT}
    return {**asdict(comparison), **exact}


def _run(run: RunSummary | None) -> dict[str, Any] | None:
    return None if run is None else {**asdict(run), "machine": dict(run.machine)}


def _plain(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _verdict(data: Mapping[str, Any]) -> Verdict:
    return Verdict(
        outcome=Outcome(data["outcome"]),
        reason=data["reason"],
        fix=data["fix"],
        repro=data["repro"],
        created=data["created"],
        image=_read(ImageSummary, data["image"]),
        lock=_read(LockSummary, data["lock"]),
        metrics=tuple(_read_metric(item) for item in data["metrics"]),
        findings=tuple(_made(Finding, item) for item in data["findings"]),
        run=_read_run(data["run"]),
        engine=_read(EngineInfo, data["engine"]),
        evidence=data["evidence"],
        gates=tuple(
            _made(GateResult, {**item, "measured": _value(item["measured"])}) for item in data.get("gates", ())
        ),
        causes=tuple(_made(Cause, item) for item in data.get("causes", ())),
        runs=_read_runs(data.get("runs")),
        outputs=tuple(_made(OutputComparison, item) for item in data.get("outputs", ())),
    )


def _read(kind: type[_T], data: Mapping[str, Any] | None) -> _T | None:
    return None if data is None else _made(kind, data)


def _made(kind: type[_T], data: Mapping[str, Any]) -> _T:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type] # always one of our dataclasses
    values = {name: tuple(item) if isinstance(item, list) else item for name, item in data.items() if name in known}
    return kind(**values)


def _runs(runs: RunsSummary | None) -> dict[str, Any] | None:
    if runs is None:
        return None
    metrics = [
        {**asdict(one), **{name: [encode_exactly(value) for value in getattr(one, name)] for name in _SERIES}}
        for one in runs.metrics
    ]
    return {**asdict(runs), "metrics": metrics}


def _read_runs(data: Mapping[str, Any] | None) -> RunsSummary | None:
    if data is None:
        return None
    metrics = [
        _made(MetricRuns, {**one, **{name: [_value(value) for value in one[name]] for name in _SERIES}})
        for one in data["metrics"]
    ]
    return _made(RunsSummary, {**data, "metrics": metrics})


def _value(data: dict[str, str] | None) -> Value | None:
    return None if data is None else decode_value(data)


def _read_metric(data: Mapping[str, Any]) -> Comparison:
    exact = {name: _value(data[name]) for name in _EXACT}
    return _made(Comparison, {**data, **exact})


def _read_run(data: Mapping[str, Any] | None) -> RunSummary | None:
    if data is None:
        return None
    return _made(
        RunSummary,
        {
            **data,
            "cells": [_made(CellRun, cell) for cell in data["cells"]],
            "failure": _read(Failure, data["failure"]),
            "machine": list(data["machine"].items()),
        },
    )
