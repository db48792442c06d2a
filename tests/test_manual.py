"""The manual can be followed: its links lead somewhere, its commands exist, its tables of JSON name every field."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from repro.cli.group import repro
from repro.digest import Digest
from repro.errors import UsageError
from repro.oci.image import Descriptor
from repro.oci.layer_facts import LayerFacts
from repro.oci.validate import Finding, ImageReport, LayerReport, Report
from repro.plan import BuiltImage
from repro.report.bisect import bisection_json
from repro.report.cache import cache_json
from repro.report.json import build_json, error_json
from repro.report.proof import explanation_json
from repro.report.pull import pull_json
from repro.report.validation import validation_json
from repro.sources import Pulled, PullReport
from repro.store.usage import Removed, Unit
from tests.conftest import ROOT
from tests.report import proofs

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/*.md"),
        *ROOT.glob("examples/*/*.md"),
        *ROOT.glob("examples/*/data/*.md"),
    ]
)
JSON_PAGE = ROOT / "docs" / "formats" / "json.md"

DIGEST = Digest.of(b"x")
FACTS = LayerFacts(1, {"files": 1}, {"0:0": 1}, (1.0, 2.0), digests={"opt/repro/repro.lock": DIGEST})
LAYER = LayerReport(Descriptor(DIGEST, 1, "application/vnd.oci.image.layer.v1.tar"), DIGEST, FACTS)
REPORT = Report((ImageReport(DIGEST, DIGEST, "linux/amd64", (LAYER,)),), (Finding("note", "layer 0", "has devices"),))
BUILT = BuiltImage(str(DIGEST), ("churn:1",), 1, "oci:out", "linux/amd64", str(DIGEST), proved=True)
PULLED = PullReport((Pulled("data/x.csv", "fetched", 1, "s3://bucket/x.csv"),))
DOCUMENTS = {
    "repro.build/2": build_json([(BUILT, [("data", "data", 7)])]),
    "repro.validation/1": validation_json("oci:out", REPORT),
    "repro.cache/1": cache_json(Path("cache"), [Unit("layers", Path("cache/layers/x"), 1, 0.0)], Removed(1, 2)),
    "repro.pull/1": pull_json(Path("repro.lock"), PULLED, dry_run=False),
    "repro.explanation/1": explanation_json(proofs.CAUSAL),
    "repro.bisect/1": bisection_json(proofs.FOUND),
    "repro.error/1": error_json(UsageError("wrong")).encode(),
}
_ELSEWHERE = {"kinds", "owners", "digests", "parts", "verdict", "value", "before", "after", "forward", "back"}
"""Objects whose names are data, and those that another page describes."""
_HELP = ["-h", "--help"]  # a command keeps what it is first asked with


def page_names() -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in PAGES]


def prose(text: str) -> str:
    """Without its blocks of code, where a `#` is no heading and brackets are no links."""
    return re.sub(r"^(```.*?^```$)", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(text: str) -> Iterator[str]:
    yield from re.findall(r"^```console$(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"(?:^    .*\n)+", prose(text), re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """Calls of `repro`: in blocks, and whole ones in the midst of a sentence."""
    lines = [line.strip().removeprefix("$ ") for block in blocks(text) for line in block.splitlines()]
    quoted = re.findall(r"`(repro [^`]+)`", prose(text))
    for line in [*lines, *quoted]:
        if line.startswith("repro ") and "…" not in line and not re.search(r"repro( -\w)* [A-Z<]", line):
            yield shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("name", page_names())
def test_relative_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", [name for name in page_names() if any(commands((ROOT / name).read_text("utf-8")))])
def test_commands_and_their_options_exist(name: str) -> None:
    for arguments in commands((ROOT / name).read_text(encoding="utf-8")):
        check(arguments)


def check(arguments: list[str]) -> None:
    """Parse as click does, but without a look at what the values name."""
    context = click.Context(repro, info_name="repro", help_option_names=_HELP)
    _, (name, *rest), _ = repro.make_parser(context).parse_args(arguments)
    command = repro.get_command(context, name)
    assert command is not None, name
    _, left, _ = command.make_parser(click.Context(command, info_name=name, help_option_names=_HELP)).parse_args(rest)
    assert left == [], arguments


@pytest.mark.parametrize("line", ["build --no-such", "rebuild", "verify image more", "cache --prune"])
def test_a_command_that_does_not_exist_would_be_found(line: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check(line.split())


def section(schema: str) -> str:
    text = JSON_PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## .*`{re.escape(schema)}`$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, schema
    return found[1]


def tables(text: str) -> dict[str, set[str]]:
    """The fields in each table, by the word in code that introduces it; by "" for that of the document."""
    found = {}
    for part in text.split("| field | type | meaning |\n|---|---|---|\n")[1:]:
        rows = part.split("\n\n")[0].splitlines()
        before = text[: text.index(part)].rpartition("| field")[0].strip().splitlines()[-1]
        named = re.fullmatch(r"(?:Each of )?`(\w+)`:", before)
        found[named[1] if named else ""] = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    return found


def objects(value: Any, name: str = "") -> dict[str, set[str]]:
    """The keys of each object with named fields, by where it is; lists have what their first item has."""
    if isinstance(value, list):
        return objects(value[0], name) if value else {}
    if not isinstance(value, dict) or name in _ELSEWHERE:
        return {}
    below = [objects(item, key) for key, item in value.items()]
    return {name: set(value) - {"schema"}} | {key: keys for found in below for key, keys in found.items()}


@pytest.mark.parametrize("schema", DOCUMENTS)
def test_each_field_of_a_document_is_in_the_manual_and_no_other(schema: str) -> None:
    document = json.loads(DOCUMENTS[schema])
    assert document["schema"] == schema
    expected = objects(document)
    if schema == "repro.build/2":
        assert expected.pop("") == {"images"}
    assert tables(section(schema)) == expected


def test_the_example_of_a_build_has_every_field() -> None:
    found = re.search(r"^```json$(.*?)^```$", section("repro.build/2"), re.MULTILINE | re.DOTALL)
    assert found is not None
    assert objects(json.loads(found[1])) == objects(json.loads(DOCUMENTS["repro.build/2"]))
