"""JUnit XML: what is a failure, an error or skipped, and that every reader of such files can read it."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from repro.report.dossier import Dossier
from repro.report.junit import cases, render
from repro.report.style import printable
from repro.verify.model import Outcome
from tests.report.samples import EVIL, RUN, VERDICTS, saying, verdict
from tests.verify.samples import sample_lock

_SUITE = {"name", "package", "id", "hostname", "tests", "failures", "errors", "skipped", "time", "timestamp"}
"""What Ant's schema asks for."""


def suite_of(dossier: Dossier) -> TestSuite:
    (suite,) = JUnitXml.fromstring(render(dossier))
    assert isinstance(suite, TestSuite)
    return suite


def results(dossier: Dossier) -> dict[str, str]:
    def name(case: TestCase) -> str:
        return f"{str(case.classname).rpartition('.')[2]}: {case.name}"

    return {name(case): type(case.result[0]).__name__ if case.result else "" for case in suite_of(dossier)}


@pytest.mark.parametrize("name", VERDICTS)
def test_every_verdict_fits_both_schemas(name: str) -> None:
    root = ET.fromstring(render(Dossier(VERDICTS[name], sample_lock())))
    (suite,) = root
    assert (root.tag, root.attrib, suite.tag) == ("testsuites", {}, "testsuite")
    assert set(suite.attrib) == _SUITE
    order = [child.tag for child in suite]
    count = order.count("testcase")
    assert order == ["properties", *["testcase"] * count, "system-out", "system-err"]
    for case in suite.iter("testcase"):
        assert set(case.attrib) == {"classname", "name", "time"}
        assert len(case) <= 1
        assert all("type" in one.attrib for one in case if one.tag != "skipped")
    assert len(suite.attrib["timestamp"]) == len("2026-01-02T03:04:05")


@pytest.mark.parametrize("name", VERDICTS)
def test_the_numbers_are_those_of_the_cases_and_only_verified_has_no_failure(name: str) -> None:
    suite = suite_of(Dossier(VERDICTS[name], sample_lock()))
    ended = [type(case.result[0]) if case.result else None for case in suite]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (
        len(ended),
        ended.count(Failure),
        ended.count(Error),
        ended.count(Skipped),
    )
    assert (suite.failures + suite.errors == 0) == (VERDICTS[name].outcome is Outcome.VERIFIED)


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.VERIFIED])
@pytest.mark.parametrize("run", [None, RUN])
def test_a_bare_verdict_that_is_not_verified_fails_somewhere(outcome: Outcome, run: object) -> None:
    found = cases(Dossier(verdict(outcome, "why", run=run)))
    assert [case.message for case in found if case.result in {"failure", "error"}] == ["why"]


def test_metrics_and_gates_are_cases() -> None:
    assert results(Dossier(VERDICTS["explained"])) == {
        "image: is what the lock says": "",
        "run: runs to its end": "",
        "metrics: auc": "Failure",
        "metrics: n": "",
        "gates: auc ≥ 0.7": "Failure",
        "gates: gone ≤ 3": "Failure",
    }
    ended = results(Dossier(VERDICTS["every-status"]))
    assert (ended["metrics: gone"], ended["metrics: ok"], ended["metrics: new"]) == ("Failure", "Failure", "Skipped")


def test_outputs_are_cases_and_say_where_they_differ() -> None:
    ended = results(Dossier(VERDICTS["outputs"]))
    assert ended["outputs: out/predictions.csv"] == "Failure"
    assert ended["outputs: weights.npz"] == ""
    (moved,) = [case for case in suite_of(Dossier(VERDICTS["outputs"])) if case.name == "out/predictions.csv"]
    assert moved.result[0].message == "out/predictions.csv: 1 of 9 cells differ, in label"
    assert "id=3: 'dog', here 'cat'" in moved.result[0].text


def test_what_was_not_measured_is_skipped() -> None:
    assert results(Dossier(VERDICTS["failed-cell"], sample_lock())) == {
        "image: is what the lock says": "",
        "run: runs to its end": "Error",
        "metrics: auc": "Skipped",
        "metrics: loss": "Skipped",
        "metrics: n": "Skipped",
    }
    ended = results(Dossier(VERDICTS["tampered"], sample_lock()))
    assert (ended["image: is what the lock says"], ended["run: runs to its end"]) == ("Failure", "Skipped")


def test_a_failure_says_both_values_and_the_causes() -> None:
    (moved,) = [case for case in suite_of(Dossier(VERDICTS["explained"])) if case.name == "auc"]
    assert moved.result[0].message == "moved: 0.75 on the laptop, 0.5 here, difference -0.25, allowed exact"
    assert moved.result[0].type == "moved"
    assert "numpy is another version" in moved.result[0].text


def test_digests_are_properties() -> None:
    found = {one.name: one.value for one in suite_of(Dossier(VERDICTS["explained"])).properties()}
    assert found["image.id"] == f"sha256:{'ab' * 32}"
    assert found["lock.digest"] == f"sha256:{'cd' * 32}"
    assert found["exit-code"] == "1"


def test_a_hostile_text_is_only_a_text() -> None:
    suite = suite_of(Dossier(VERDICTS["hostile"]))
    (metric,) = [case for case in suite if str(case.classname).endswith(".metrics")]
    assert metric.name == printable(EVIL)
    assert b"\\x1b[2J" in render(Dossier(VERDICTS["hostile"]))


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.characters(), max_size=30))
def test_any_text_makes_a_file_that_can_be_read(text: str) -> None:
    dossier = Dossier(replace(saying(text), created="2026-01-02T03:04:05Z"))
    ET.fromstring(render(dossier).decode("utf-8"))
