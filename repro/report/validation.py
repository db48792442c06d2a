"""What `repro validate` found, for people and for programs."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

from repro.oci.layer_facts import LayerFacts
from repro.oci.validate import Finding, ImageReport, LayerReport, Report
from repro.report.json import document
from repro.report.style import Style, human_size
from repro.words import count

_SHORT = 19
_COLUMNS = ("layer", "blob", "size", "unpacked", "holds", "times", "owners")
_MOST_NOTES = 12


def validation_text(target: str, report: Report, style: Style) -> str:
    """Each image as a table of its layers, then every problem, notes, and one last line."""
    sections = [_image(image, style) for image in report.images]
    sections.append([line for problem in report.problems for line in _finding(problem, style)])
    notes = [finding for finding in report.findings if finding.severity == "note"]
    sections.append([line for note in notes[:_MOST_NOTES] for line in _finding(note, style)])
    if len(notes) > _MOST_NOTES:
        sections[-1].append(f"{style.mark('info')} and {count(len(notes) - _MOST_NOTES, 'more note')}; --json has all")
    sections.append([_last(target, report, style)])
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def validation_json(target: str, report: Report) -> bytes:
    """`repro.validation/1`: images, layers, findings."""
    return document(
        "repro.validation/1",
        {
            "target": target,
            "valid": not report.problems,
            "images": [_plain(image) for image in report.images],
            "findings": report.findings,
        },
    )


def _plain(image: ImageReport) -> dict[str, object]:
    layers = [
        {
            "digest": layer.descriptor.digest,
            "size": layer.descriptor.size,
            "media_type": layer.descriptor.media_type,
            "diff_id": layer.diff_id,
            "facts": None if layer.facts is None else _facts(layer.facts),
        }
        for layer in image.layers
    ]
    return {
        "digest": image.digest,
        "config": image.config,
        "platform": image.platform,
        "names": image.names,
        "layers": layers,
    }


def _facts(facts: LayerFacts) -> dict[str, object]:
    """What is in a layer, but for the paths of its directories and links."""
    left_out = {"symlinks", "directories", "faults", "remarks"}
    return {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts) if field.name not in left_out}


def _image(image: ImageReport, style: Style) -> list[str]:
    fields = [
        ("image", str(image.digest)),
        ("id", str(image.config)),
        ("names", ", ".join(image.names)),
        ("platform", image.platform),
    ]
    rows = [_COLUMNS, *(_row(number, layer) for number, layer in enumerate(image.layers))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = ["  " + "  ".join(map(str.ljust, map(style.text, row), widths)).rstrip() for row in rows]
    return (
        [*style.fields(fields), "", style.paint(table[0], "dim"), *table[1:]] if image.layers else style.fields(fields)
    )


def _row(number: int, layer: LayerReport) -> tuple[str, ...]:
    facts = layer.facts
    size = human_size(layer.descriptor.size)
    blob = str(layer.descriptor.digest)[:_SHORT]
    if facts is None:
        return (str(number), blob, size, "?", "can't be read", "", "")
    holds = ", ".join(_counted(facts)) or "nothing"
    return (str(number), blob, size, human_size(facts.size), holds, _times(facts), " ".join(facts.owners))


def _counted(facts: LayerFacts) -> Iterator[str]:
    for kind in ("files", "whiteouts", "devices"):
        if facts.kinds.get(kind):
            yield count(facts.kinds[kind], kind.removesuffix("s"))
    others = sum(facts.kinds.values()) - sum(facts.kinds.get(kind, 0) for kind in ("files", "whiteouts", "devices"))
    if others:
        yield f"{others} other{'' if others == 1 else 's'}"


def _times(facts: LayerFacts) -> str:
    if facts.mtimes is None:
        return ""
    first, last = (_day(seconds) for seconds in facts.mtimes)
    return first if facts.mtimes[0] == facts.mtimes[1] or first == last else f"{first} to {last}"


def _day(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _finding(finding: Finding, style: Style) -> list[str]:
    mark = style.mark("bad" if finding.severity == "problem" else "info")
    place = f"{finding.where}: " if finding.where else ""
    return style.wrap(place + finding.what, f"{mark} ", lead=2)


def _last(target: str, report: Report, style: Style) -> str:
    name = style.text(target)
    if report.problems:
        wrong = count(len(report.problems), "problem")
        return f"{style.mark('bad')} {style.paint('invalid', 'bold', 'red')}: {name}, {wrong}"
    layers = sum(len(image.layers) for image in report.images)
    seen = f"{count(len(report.images), 'image')}, {count(layers, 'layer')}"
    return f"{style.mark('ok')} {style.paint('valid', 'bold', 'green')}: {name}, {seen}, every digest recomputed"
