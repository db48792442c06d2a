"""What capture and build did, and what a lock or an image is, for a person at a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.capture.findings import Finding as CaptureFinding
from repro.capture.runs.model import Repeats
from repro.digest import Digest
from repro.engines.model import ImageInfo
from repro.lock import Lock, Metric, PythonSupply, SystemPackage
from repro.plan import BuildPlan, BuiltImage, CondaLink, Deb, InlineFile, Item, ProjectFile, Unpack, Wheel
from repro.plan.evaluation import expected_metric
from repro.report.findings import finding_summary
from repro.report.metrics import value_text
from repro.report.packages import conda_fields, only_stored
from repro.report.repeats import repeat_lines
from repro.report.style import Style, human_size, human_time
from repro.report.terminal import finding_lines
from repro.runner.compare import rule_text
from repro.runner.gates import gates_of
from repro.verify.model import Finding

_SHORT = 19
_SUPPLIES: dict[PythonSupply, str] = {
    "base": "from the base",
    "packed": "a packed copy of the laptop's",
    "conda": "the conda package",
}
_GAP = "  "
_OWN_IMAGES = "/.repro/images"
_TOO_SMALL = 1000
"""Layers of fewer bytes are left out."""


@dataclass(frozen=True, slots=True)
class ImageInspection:
    """What can be told about an image without running it.

    Attributes:
        reference: What the person called it.
        image: What the engine says.
        lock: The lock baked into it.
        digest: Digest of that lock.
        findings: Where the image differs from what this lock would build.
    """

    reference: str
    image: ImageInfo
    lock: Lock
    digest: Digest
    findings: tuple[Finding, ...]


def capture_summary(
    lock: Lock,
    digest: Digest,
    path: Path,
    *,
    changed: bool,
    warnings: Iterable[str],
    seconds: float,
    style: Style,
    findings: Sequence[CaptureFinding] = (),
    repeats: Repeats | None = None,
) -> str:
    """What was captured, and what to do next."""
    place = f"{style.text(str(path))} {'written' if changed else 'unchanged'}"
    done = f"{style.mark('ok')} {style.paint('captured', 'bold', 'green')}"
    sections = [
        style.fields(_lock_fields(lock)),
        _metrics(lock.metrics, style),
        repeat_lines(repeats, style),
        [line for warning in warnings for line in style.wrap(f"warning: {warning}", f"{style.mark('warn')} ", lead=2)],
        finding_summary(findings, style),
        [f"{done}: {place}, {str(digest)[:_SHORT]}, {human_time(seconds)}", f"{style.arrow} next: {_building(lock)}"],
    ]
    return _joined(sections)


def _building(lock: Lock) -> str:
    """An engine takes the image for one platform."""
    return "repro build" if len(lock.targets) == 1 else f"repro build --platform {lock.targets[0]}"


def build_summary(images: Sequence[tuple[BuiltImage, Sequence[tuple[str, str, int]]]], style: Style) -> str:
    """What was built; with each image its layers: name, comment and bytes as they come in (see `layer_sizes`)."""
    image, layers = images[0]
    several = len({one.platform for one, _ in images}) > 1
    sections = [
        _layers(layers, style),
        [line for one, _ in images for line in _built(one, style, several=several)],
        [f"{style.arrow} next: {_next(image, style)}"],
    ]
    return _joined(sections)


def _next(image: BuiltImage, style: Style) -> str:
    name = style.text(_name(image))
    pushed = any(name.startswith(f"{registry}/") for registry in image.place.split(", "))
    return f"docker pull {name}, then repro verify {name}" if pushed else f"repro verify {name}"


def _built(image: BuiltImage, style: Style, *, several: bool) -> list[str]:
    """With its platform where there are several."""
    names = style.text(", ".join(image.tags) or image.id)
    done = f"{style.mark('ok')} {style.paint('built', 'bold', 'green')}"
    what = f"{names}, {image.platform}" if several else names
    lines = [f"{done}: {what}, {image.id[:_SHORT]}, {human_size(image.size)} in {style.text(image.place)}"]
    if image.proved:
        lines.append(f"{style.mark('ok')} bit for bit the image that the lock predicts, {str(image.digest)[:_SHORT]}")
    return lines


def _name(image: BuiltImage) -> str:
    """What `repro verify` finds the image by."""
    name = image.tags[0] if image.tags else image.id
    if not image.place.startswith(("oci:", "oci-archive:")):
        return name
    return name if image.place.endswith(_OWN_IMAGES) else f"{image.place}:{name}"


def layer_sizes(plan: BuildPlan) -> list[tuple[str, str, int]]:
    """Each layer's name, comment and bytes: wheels as the files they are, everything else unpacked."""
    return [(layer.name, layer.comment, sum(_size(item) for item in layer.items)) for layer in plan.layers]


def lock_text(lock: Lock, digest: Digest, style: Style) -> str:
    """A lock in short."""
    return _joined([style.fields([("lock", str(digest)), *_inspected(lock)]), _metrics(lock.metrics, style)])


def image_text(found: ImageInspection, style: Style) -> str:
    """An image in short, and whether it is what its own lock says."""
    image = found.image
    fields = [
        ("image", found.reference),
        ("id", image.id),
        ("tags", ", ".join(image.tags)),
        ("registries", ", ".join(image.repo_digests)),
        ("platform", image.platform),
        ("size", human_size(image.size)),
        ("user", image.user),
        *((name, value) for name, value in sorted(image.labels.items()) if name.startswith("dev.repro.")),
    ]
    agree = not any(finding.severity == "error" for finding in found.findings)
    last = (
        f"{style.mark('ok')} what is baked in agrees with its lock; `repro verify` would rerun it"
        if agree
        else f"{style.mark('bad')} the image is not what its lock says"
    )
    sections = [
        style.fields(fields),
        style.fields([("lock", str(found.digest)), *_inspected(found.lock)]),
        _metrics(found.lock.metrics, style),
        [line for finding in found.findings for line in finding_lines(finding, style)],
        [last],
    ]
    return _joined(sections)


def _joined(sections: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _lock_fields(lock: Lock) -> Iterator[tuple[str, str]]:
    subject = lock.subject
    yield "subject", f"{subject.path} ({subject.kind}{f', kernel {subject.kernel}' if subject.kernel else ''})"
    yield "baseline", "rerun from top to bottom" if lock.baseline.rerun else "stored outputs, unproven"
    yield "targets", ", ".join(lock.targets)
    yield "python", f"{lock.python.version}, {_SUPPLIES[lock.python.supply]}"
    yield "base", f"{lock.base.reference} {str(lock.base.digest)[:_SHORT]}"
    made = [package.name for package in lock.packages if package.origin != "index"]
    size = sum(file.size for package in lock.packages for file in package.files)
    yield "packages", f"{len(lock.packages)}, {human_size(size)}" + (f"; made here: {', '.join(made)}" if made else "")
    yield from conda_fields(lock.conda)
    objects = list(only_stored(lock))
    if objects:
        yield "to carry", f".repro/objects, for {', '.join(objects)} (docs/how-to/carry-objects.md)"
    roles = Counter(file.role for file in lock.files)
    parts = ", ".join(f"{number} {role}" for role, number in sorted(roles.items()))
    yield "files", f"{parts}, {human_size(sum(file.size for file in lock.files))}" if parts else "none"
    outside = [file.size for file in lock.files if file.mount]
    if outside:
        yield "to mount", f"{len(outside)}, {human_size(sum(outside))} (docs/how-to/large-data.md)"
    yield "outputs", ", ".join(lock.outputs)


def _inspected(lock: Lock) -> Iterator[tuple[str, str]]:
    """All that a lock says in short: what was captured, and what becomes of it."""
    yield from _lock_fields(lock)
    for target in lock.targets:
        packages = [package for package in lock.system if package.target == target]
        if packages:
            yield "system", f"{_system(packages)}, {target}"
    yield "encoding", lock.image.encoding
    yield "bytecode", _bytecode(lock)
    for image in lock.predicted:
        yield "predicted", f"image ID {image.config}, {image.target}"
        if image.manifest is not None:
            yield "", f"manifest {image.manifest}"


def _system(packages: Sequence[SystemPackage]) -> str:
    names = ", ".join(f"{one.name} {one.version}{' without its scripts' * one.skip_scripts}" for one in packages)
    return f"{names}, {human_size(sum(one.size for one in packages))}"


def _bytecode(lock: Lock) -> str:
    if lock.image.bytecode != "used":
        return f"{lock.image.bytecode} of the modules"
    return f"of the {sum(map(len, lock.modules.values()))} modules that the run imported"


def _metrics(metrics: Sequence[Metric], style: Style) -> list[str]:
    if not metrics:
        return []
    rows = [
        (metric.name, value_text(metric.value), _rule(metric), metric.source)
        for metric in sorted(metrics, key=lambda metric: metric.name)
    ]
    cells = [tuple(style.text(cell) for cell in row) for row in (_METRIC, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if sum(widths) + len(_GAP) * len(widths) <= style.width:
        return _table(_METRIC, rows, style)
    return [line for row in cells for line in _two_lines(row, widths, style)]


_METRIC = ("metric", "value", "tolerance", "from")


def _two_lines(row: Sequence[str], widths: Sequence[int], style: Style) -> Iterator[str]:
    """A metric on a narrow screen: its name and place, and below them its value and tolerance, all in full."""
    name, value, rule, source = row
    half = style.width // 2
    yield from style.wrap(f"{name.ljust(min(widths[0], half))}{_GAP}{source}", _GAP)
    yield from style.wrap(f"{value.ljust(min(widths[1], half))}{_GAP}{rule}", _GAP * 2)


def _rule(metric: Metric) -> str:
    expected = expected_metric(metric)
    parts = [rule_text(expected), *(gate.rule for gate in gates_of(expected, metric.value))]
    return ", ".join([*parts, f"{metric.direction} is better"] if metric.direction else parts)


def _layers(layers: Sequence[tuple[str, str, int]], style: Style) -> list[str]:
    """The layers worth a line, by what had to be fetched for them: wheels are packed, the image holds them unpacked."""
    rows = [(name, human_size(size), comment) for name, comment, size in layers if size >= _TOO_SMALL]
    return _table(("layer", "fetched", "what"), rows, style) if rows else []


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], style: Style) -> list[str]:
    """Left-aligned columns; the last one is cut at the screen's edge."""
    cells = [headings, *(tuple(style.text(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings) - 1)]
    lines = [
        _GAP + _GAP.join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in cells
    ]
    cut = [_cut(line.rstrip(), style) for line in lines]
    return [style.paint(cut[0], "dim"), *cut[1:]]


def _cut(line: str, style: Style) -> str:
    return line if len(line) <= style.width else line[: style.width - 3].rstrip() + style.text("…")


def _size(item: Item) -> int:
    match item:
        case Wheel():
            return item.file.size
        case ProjectFile() | Unpack():
            return item.content.size
        case Deb() | CondaLink():
            return item.package.size
        case InlineFile():
            return len(item.data)
        case _:
            return 0
