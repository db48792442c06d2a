"""Findings as SARIF 2.1.0 for code hosts: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from repro import __version__
from repro.capture.findings import RULES, Finding, Place, Rule
from repro.errors import UsageError
from repro.files import atomic_write

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "PROJECTROOT"
_FINGERPRINT = "primaryLocationLineHash"
"""The name by which GitHub tells the same alert in two runs."""


def sarif(findings: Sequence[Finding]) -> bytes:
    """A SARIF log with one run: every rule, and a result for each finding. The same findings give the same bytes.

    Paths are relative to the project root; regions are lines of the file, also of a notebook's. Nothing of the
    machine, and no time, goes in.
    """
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the project."}}},
                "columnKind": "unicodeCodePoints",
                "results": _results(findings),
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def sarif_writer(path: Path) -> Callable[[Sequence[Finding]], None]:
    """Writes findings to a file, each time anew and whole.

    Raises:
        UsageError: At once, when there is something else than an earlier log.
        InfrastructureError: When it is called, and the disk refuses.
    """
    if path.is_dir() or (path.is_file() and path.stat().st_size and not _is_log(path)):
        raise UsageError(
            "this is there and is no SARIF log; findings only replace an earlier one",
            where=str(path),
            fix="Name another file with --sarif, or remove this one.",
        )
    return lambda findings: atomic_write(path, sarif(findings))


def _is_log(path: Path) -> bool:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"version", "runs"} <= document.keys()


def _driver() -> dict[str, Any]:
    return {"name": "repro", "semanticVersion": __version__, "rules": [_rule(rule) for rule in RULES]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.help},
        "help": {"text": rule.help, "markdown": rule.help},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["reproducibility"]},
    }


def _results(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    numbers = {rule.name: number for number, rule in enumerate(RULES)}
    seen: Counter[str] = Counter()
    results = []
    for one in findings:
        key = _key(one)
        seen[key] += 1
        result = {
            "ruleId": one.rule,
            "ruleIndex": numbers[one.rule],
            "level": one.level,
            "message": {"text": f"{one.what} ({_within(one.place)}). {one.cure}" if _within(one.place) else _text(one)},
            "locations": [_location(one.place)],
            "partialFingerprints": {_FINGERPRINT: f"{key}:{seen[key]}"},
        }
        results.append(result)
    return results


def _text(finding: Finding) -> str:
    return f"{finding.what}. {finding.cure}"


def _within(place: Place) -> str:
    """Cell and line: code hosts show the notebook's file."""
    return "" if place.cell is None else str(place).removeprefix(f"{place.path}: ")


def _location(place: Place) -> dict[str, Any]:
    physical = {"artifactLocation": {"uri": quote(place.path), "uriBaseId": _ROOT}}
    location: dict[str, Any] = {"physicalLocation": {**physical, "region": {"startLine": place.file_line or 1}}}
    if place.cell is not None:
        name = f"cell {place.cell}"
        location["logicalLocations"] = [{"name": name, "fullyQualifiedName": f"{place.path}/{name}", "kind": "member"}]
    return location


def _key(finding: Finding) -> str:
    """The same for the same line of code, wherever it moves."""
    place = finding.place
    what = place.text or finding.what
    return hashlib.sha256(f"{finding.rule}\0{place.path}\0{what}".encode("utf-8", "replace")).hexdigest()[:16]
