"""Report files: `--report FORMAT=PATH`. A new format is a function from Dossier to bytes, entered in `FORMATS`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from repro.errors import UsageError
from repro.files import atomic_write
from repro.report.dossier import Dossier
from repro.verify.document import SCHEMA, render_verdict

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
    return ReportFile(name, Path(path))


def _is_report(path: Path) -> bool:
    """Whether a file may be replaced: an earlier report, an empty file, or a device such as /dev/stdout."""
    if not path.is_file():
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return not head or any(kind.mark in head for kind in FORMATS.values())


def write_reports(dossier: Dossier, reports: Iterable[ReportFile]) -> None:
    """Write each report atomically. Raises InfrastructureError when the disk refuses."""
    for report in reports:
        atomic_write(report.path, FORMATS[report.format].render(dossier))
