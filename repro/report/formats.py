"""Report files: `--report FORMAT=PATH`. A new format is a function from Dossier to bytes, entered in `FORMATS`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from repro.errors import InfrastructureError, UsageError
from repro.files import atomic_write, disk_errors
from repro.report.dossier import Dossier
from repro.verify.document import SCHEMA, render_verdict

_DESCRIPTORS = (Path("/proc"), Path("/dev/fd"))
"""Where a process finds what it has open; /dev/stdout leads there."""
_HEAD = 1024
"""Bytes at the start of a file among which the mark of its format is."""


class Render(Protocol):
    """Renders a dossier."""

    def __call__(self, dossier: Dossier) -> bytes:
        """The file's whole content."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of report.

    Attributes:
        render: Makes it.
        mark: What every such file has near its start, and hardly any other.
        title: What it is, for the command line's help.
    """

    render: Render
    mark: bytes
    title: str


def _json(dossier: Dossier) -> bytes:
    return render_verdict(dossier.verdict)


def _deferred(module: str) -> Render:
    """`render` of a module of this package, which is loaded only where such a report was asked for."""

    def render(dossier: Dossier) -> bytes:
        chosen: Render = import_module(f"repro.report.{module}").render
        return chosen(dossier)

    return render


FORMATS: Mapping[str, Format] = {
    "json": Format(_json, f'"schema": "{SCHEMA.partition("/")[0]}/'.encode(), "the verdict"),
    "markdown": Format(_deferred("markdown"), b"<!-- repro.report -->", "a summary for CI jobs"),
    "junit": Format(_deferred("junit"), b'<testsuite name="repro', "test results for CI"),
    "html": Format(_deferred("page"), b'<meta name="generator" content="repro ', "a page with everything"),
}


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report that was asked for."""

    format: str
    path: Path


def parse_reports(texts: Sequence[str]) -> list[ReportFile]:
    """Read each `FORMAT=PATH`. Raises UsageError where one is anything else, can't be written, or replaces another."""
    reports = [parse_report(text) for text in texts]
    files = [report.path.resolve() for report in reports if not _is_stream(report.path)]
    for report in reports:
        if files.count(report.path.resolve()) > 1:
            raise UsageError(
                "several reports have this one path", where=str(report.path), fix="Name a file of its own for each."
            )
    return reports


def parse_report(text: str) -> ReportFile:
    """Read `FORMAT=PATH`. Raises UsageError that lists the formats when it is anything else."""
    name, separator, path = text.partition("=")
    if name not in FORMATS or not separator or not path:
        raise UsageError(
            f"not a report: {text!r}",
            where="--report",
            fix=f"Write FORMAT=PATH, such as html=verdict.html; formats: {', '.join(FORMATS)}.",
        )
    if Path(path).is_dir():
        raise UsageError("a report can't replace a directory", where=path, fix="Name a file in it.")
    if Path(path).exists() and not _is_report(Path(path)):
        raise UsageError(
            "this file is there and is no report of repro's; a report only replaces an earlier one",
            where=path,
            fix="Name another file, or remove this one.",
        )
    if not _may_write(Path(path)):
        raise UsageError(
            "a report can't be written there", where=path, fix="Name a file in a directory that you may write to."
        )
    return ReportFile(name, Path(path))


def _may_write(path: Path) -> bool:
    """Whether it looks so, before anything runs."""
    if _is_stream(path):
        return os.access(path, os.W_OK)
    nearest = next(above for above in path.absolute().parents if above.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _is_stream(path: Path) -> bool:
    """Whether it is written to, not replaced: a pipe, a device, or what leads to one, such as /dev/stdout."""
    if not path.exists():
        return False
    link = path.parent.resolve() / path.name
    leads = [link, link.parent / link.readlink()] if link.is_symlink() else [link]
    return not path.is_file() or any(folder in place.parents for folder in _DESCRIPTORS for place in leads)


def _is_report(path: Path) -> bool:
    """Whether a file may be replaced, or is no file: an earlier report, an empty one, a device such as /dev/stdout."""
    if _is_stream(path):
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return not head or any(kind.mark in head for kind in FORMATS.values())


def write_reports(dossier: Dossier, reports: Iterable[ReportFile]) -> None:
    """Write each report, a file atomically. Raises InfrastructureError, after the others, when the disk refuses one."""
    refused: list[InfrastructureError] = []
    for report in reports:
        content = FORMATS[report.format].render(dossier)
        try:
            _write(report.path, content)
        except InfrastructureError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _write(path: Path, content: bytes) -> None:
    if _is_stream(path):
        with disk_errors(path), path.open("ab") as stream:
            stream.write(content)
    else:
        atomic_write(path, content)
