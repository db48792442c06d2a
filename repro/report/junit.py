"""A verdict as JUnit XML, which CI systems show as test results: the image is the suite, what is compared a case each.

The common subset of two schemas: Apache Ant's (JUnit.xsd) and that of Jenkins' xUnit plugin (junit-10.xsd).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from repro.outputs.model import OutputComparison
from repro.report.dossier import Dossier
from repro.report.explained import cause_lines
from repro.report.metrics import remark, rule_cell, value_text, verdict_word
from repro.report.style import Style, printable
from repro.report.terminal import verdict_text
from repro.runner.compare import EXTRA, Comparison
from repro.runner.gates import gate_text
from repro.runner.report import difference_text
from repro.verify.model import GateResult, Outcome, Verdict

_PLAIN = Style(width=120)
_NOT_RUN = "nothing was run"
_ERRORS = {Outcome.EVALUATION_FAILED, Outcome.OUT_OF_MEMORY, Outcome.TIMED_OUT, Outcome.INFRASTRUCTURE_FAILED}
_UNJUDGED = "the run gave no value"


@dataclass(frozen=True, slots=True)
class Case:
    """One test case.

    Attributes:
        group: What kind of check it is.
        name: What is checked.
        result: How it ended.
        kind: Of a failure or an error.
        message: Its one sentence.
        text: What else there is to say.
        seconds: How long it took.
    """

    group: Literal["image", "run", "metrics", "gates", "outputs"]
    name: str
    result: Literal["passed", "failure", "error", "skipped"] = "passed"
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


def render(dossier: Dossier) -> bytes:
    """The suite, as a file of its own."""
    root = ET.Element("testsuites")
    root.append(_suite(dossier))
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def cases(dossier: Dossier) -> list[Case]:
    """Every case. A verdict that isn't "verified" has one that failed, whatever else there is."""
    verdict = dossier.verdict
    metrics = [_metric(item, verdict) for item in verdict.metrics] or list(_unmeasured(dossier))
    known = [_image(verdict), *metrics, *map(_gate, verdict.gates), *map(_output, verdict.outputs)]
    failed = any(case.result in {"failure", "error"} for case in known)
    return [known[0], _run(verdict, failed=failed), *known[1:]]


def _suite(dossier: Dossier) -> ET.Element:
    verdict, found = dossier.verdict, cases(dossier)
    name = "" if verdict.image is None else f" {verdict.image.reference}"
    numbers = {
        "tests": len(found),
        "failures": sum(case.result == "failure" for case in found),
        "errors": sum(case.result == "error" for case in found),
        "skipped": sum(case.result == "skipped" for case in found),
    }
    suite = _element("testsuite", name=f"repro{name}", package="repro", id="0", hostname="localhost")
    suite.attrib.update({key: str(number) for key, number in numbers.items()})
    suite.set("time", f"{0 if verdict.run is None else verdict.run.seconds:.3f}")
    suite.set("timestamp", verdict.created.removesuffix("Z"))
    properties = ET.SubElement(suite, "properties")
    properties.extend(_element("property", name=key, value=value) for key, value in _properties(verdict) if value)
    subject = "evaluation" if verdict.lock is None else verdict.lock.subject
    suite.extend(_case(case, subject) for case in found)
    ET.SubElement(suite, "system-out").text = "\n" + verdict_text(verdict, _PLAIN)
    ET.SubElement(suite, "system-err").text = _lines("\n".join(verdict.run.log)) if verdict.run else ""
    return suite


def _properties(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """What was judged, by what, and how it ended."""
    yield "outcome", str(verdict.outcome)
    yield "exit-code", str(int(verdict.outcome.exit_code))
    yield "reason", verdict.reason
    yield "fix", verdict.fix or ""
    yield "repro", verdict.repro
    if verdict.image:
        yield "image.id", verdict.image.id
        yield "image.repo-digests", " ".join(verdict.image.repo_digests)
        yield "image.platform", verdict.image.platform
    if verdict.lock:
        yield "lock.digest", verdict.lock.digest
        yield "lock.source", verdict.lock.source
    if verdict.run:
        yield "python", verdict.run.python_version
    yield "evidence", verdict.evidence or ""


def _case(case: Case, subject: str) -> ET.Element:
    classname = f"{subject}.{case.group}"
    element = _element("testcase", classname=classname, name=case.name, time=f"{case.seconds:.3f}")
    if case.result == "skipped":
        element.append(_element("skipped", message=case.message))
    elif case.result != "passed":
        told = _element(case.result, message=case.message, type=case.kind)
        told.text = _lines(case.text) or None
        element.append(told)
    return element


def _image(verdict: Verdict) -> Case:
    """The image, and what ran in it, is what the lock says."""
    name = "is what the lock says"
    if verdict.outcome is Outcome.TAMPERED:
        text = "\n".join(
            line for finding in verdict.findings if finding.severity == "error" for line in finding.evidence
        )
        return Case("image", name, "failure", "tampered", verdict.reason, text)
    if verdict.lock is None:
        return Case("image", name, "skipped", message="nothing was judged")
    return Case("image", name)


def _run(verdict: Verdict, *, failed: bool) -> Case:
    """The run itself; it also fails for what no other case stands for."""
    name, seconds = "runs to its end", 0.0 if verdict.run is None else verdict.run.seconds
    if verdict.outcome in _ERRORS or (verdict.outcome is not Outcome.VERIFIED and not failed):
        failure = None if verdict.run is None else verdict.run.failure
        parts = [failure.source, failure.traceback] if failure else []
        text = "\n\n".join([*(part for part in parts if part), _causes(verdict)]).strip()
        return Case("run", name, "error", str(verdict.outcome), verdict.reason, text, seconds)
    if verdict.run is None:
        return Case("run", name, "skipped", message=_NOT_RUN)
    return Case("run", name, seconds=seconds)


def _unmeasured(dossier: Dossier) -> Iterator[Case]:
    """The lock's metrics, where nothing was compared."""
    why = _NOT_RUN if dossier.verdict.run is None else _UNJUDGED
    for metric in dossier.lock.metrics if dossier.lock else ():
        yield Case("metrics", metric.name, "skipped", message=why)


def _metric(item: Comparison, verdict: Verdict) -> Case:
    if item.status == EXTRA:
        return Case("metrics", item.name, "skipped", message="not in the lock: nothing to compare it with")
    if item.passed:
        return Case("metrics", item.name)
    told = (
        f"{verdict_word(item)}: {value_text(item.baseline)} on the laptop, {value_text(item.measured)} here",
        f"difference {difference_text(item)}",
        f"allowed {rule_cell(item)}",
        remark(item),
    )
    message = ", ".join(part for part in told if part)
    return Case("metrics", item.name, "failure", item.status, message, _causes(verdict))


def _gate(gate: GateResult) -> Case:
    name = f"{gate.metric} {gate.rule}"
    if gate.passed:
        return Case("gates", name)
    return Case("gates", name, "failure", "gate", gate_text(gate))


def _output(output: OutputComparison) -> Case:
    if output.passed:
        return Case("outputs", output.name)
    text = "\n".join([f"rule: {output.rule}", *output.details])
    return Case("outputs", output.name, "failure", output.status, f"{output.name}: {output.summary}", text)


def _causes(verdict: Verdict) -> str:
    return "\n".join(cause_lines(verdict.causes, _PLAIN))


def _element(tag: str, **attributes: str) -> ET.Element:
    """Attributes without what XML can't hold (https://www.w3.org/TR/xml/#charsets): its escape stands there instead."""
    return ET.Element(tag, {name: printable(value) for name, value in attributes.items()})


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())
