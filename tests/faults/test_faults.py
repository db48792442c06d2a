"""Every fault is caught, and its cause is named first; harmless changes are passed over in silence."""

from collections.abc import Callable

import pytest

from repro.verify.causes.rank import CONFIDENCES
from repro.verify.model import Outcome, Verdict
from tests.faults.cases import Bench, Fault
from tests.faults.conftest import CAUGHT, FIRST, SILENT
from tests.faults.faults import FAULTS
from tests.faults.harmless import HARMLESS, Harmless

pytestmark = pytest.mark.base


def told(verdict: Verdict) -> str:
    """A verdict in lines, for a test that fails."""
    causes = [f"  {one.rule} ({one.confidence}) {one.where}: {one.message}" for one in verdict.causes]
    findings = [f"  [{one.kind}] {one.message}" for one in verdict.findings]
    log = [] if verdict.run is None else [f"  | {verdict.run.failure}", *verdict.run.log]
    return "\n".join([f"{verdict.outcome}: {verdict.reason}", *causes, *findings, *log])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_caught_and_its_cause_named_first(
    fault: Fault, bench: Bench, count: Callable[[str, bool], None]
) -> None:
    verdict = fault.inject(bench)
    first = verdict.causes[0] if verdict.causes else None
    named = first is not None and first.rule == fault.rule and fault.where in first.where
    count(CAUGHT, verdict.outcome not in {Outcome.VERIFIED, Outcome.INFRASTRUCTURE_FAILED})
    count(FIRST, named)
    assert verdict.outcome is not Outcome.VERIFIED, told(verdict)
    assert named, told(verdict)


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.name)
def test_a_harmless_change_is_passed_over(change: Harmless, bench: Bench, count: Callable[[str, bool], None]) -> None:
    verdict = change.make(bench)
    alarms = [one for one in verdict.findings if one.severity != "info" and one.kind not in change.known]
    count(SILENT, verdict.outcome is Outcome.VERIFIED and not verdict.causes and not alarms)
    assert verdict.outcome is Outcome.VERIFIED, told(verdict)
    assert not verdict.causes, told(verdict)
    assert not alarms, told(verdict)


def test_there_are_enough_of_them_and_each_is_another_one() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert len({change.name for change in HARMLESS}) == len(HARMLESS) >= 10
    assert len(CONFIDENCES) == 3
