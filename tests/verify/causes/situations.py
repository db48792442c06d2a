"""Situations as verifications make them, from a lock and a record like real ones."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from repro.digest import Digest
from repro.lock import Lock
from repro.plan.evaluation import environment_variables, make_evaluation
from repro.runner.compare import Comparison, compare
from repro.runner.documents import Failure, MeasuredMetric, RunRecord
from repro.runner.observed import Observed
from repro.verify.causes import Side, Situation, explain
from repro.verify.model import Cause, Finding, Outcome
from tests.verify.samples import good_record, sample_lock

SETTINGS = {"build": "(main) [GCC 12]", "locale": "C.UTF-8", "time zone": "CET +0100, CEST +0200", "hash seed": "0"}


def planned(lock: Lock) -> dict[str, str]:
    """The settings of a run in which everything is as the lock says."""
    return {**SETTINGS, **{f"${name}": value for name, value in environment_variables(lock.environment).items()}}


def here(lock: Lock, **changes: Any) -> RunRecord:
    """A run on a machine that is the laptop's twin."""
    machine = lock.evidence.machine
    assert machine is not None
    facts = {
        "cpus": str(machine.cpus),
        "features": " ".join(machine.features),
        "processor": machine.processor,
        "glibc": (machine.libc or "").removeprefix("glibc "),
        "gpus": "; ".join(machine.gpus),
        "driver": machine.driver or "",
        "cuda": machine.cuda or "",
    }
    libraries = tuple(
        {"name": one.name, "file": one.file, "version": one.version, "kernel": one.kernel, "threads": one.threads}
        for one in machine.libraries
    )
    base = good_record(lock, settings=SETTINGS, machine={k: v for k, v in facts.items() if v}, libraries=libraries)
    return replace(base, **changes)


def moved(lock: Lock, **values: float) -> tuple[Comparison, ...]:
    """Comparisons of a run that measured these values."""
    metrics = [MeasuredMetric(one.name, values.get(one.name, one.value), "metrics.json") for one in lock.metrics]
    return tuple(compare(make_evaluation(lock, Digest.of(b"")).metrics, metrics))


def situation(
    *,
    lock: Lock | None = None,
    record: RunRecord | None = None,
    laptop: RunRecord | None = None,
    seen: Observed | None = None,
    laptop_saw: Observed | None = None,
    findings: Iterable[Finding] = (),
    **changes: Any,
) -> Situation:
    """A metric has moved, and nothing else differs but what is given."""
    lock = lock or sample_lock()
    base = Situation(
        lock=lock,
        outcome=Outcome.MISMATCH,
        comparisons=moved(lock, auc=0.25),
        findings=tuple(findings),
        laptop=Side(laptop or good_record(lock, settings=SETTINGS), laptop_saw),
        here=Side(record or here(lock), seen),
    )
    return replace(base, **changes)


def failing(message: str, traceback: str = "", cell: int | None = None, **changes: Any) -> Situation:
    """An evaluation that failed here."""
    lock = sample_lock()
    record = here(lock, failure=Failure("cell", message, cell, traceback=traceback), metrics=())
    return situation(lock=lock, record=record, outcome=Outcome.EVALUATION_FAILED, comparisons=(), **changes)


def first(found: Situation) -> Cause:
    """The cause that is named first."""
    return next(iter(explain(found)))


def named(found: Situation) -> list[str]:
    """The rules that found something, in order."""
    return [cause.rule for cause in explain(found)]
