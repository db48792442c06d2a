"""Report files: `--report FORMAT=PATH`. A new format is a function from Verdict to bytes, entered in `FORMATS`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.errors import UsageError
from repro.files import atomic_write
from repro.verify.document import render_verdict
from repro.verify.model import Verdict


class Format(Protocol):
    """Renders a verdict."""

    def __call__(self, verdict: Verdict) -> bytes:
        """The file's whole content."""
        ...


FORMATS: Mapping[str, Format] = {"json": render_verdict}


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
            fix=f"Write FORMAT=PATH, such as json=verdict.json; formats: {', '.join(sorted(FORMATS))}.",
        )
    if Path(path).is_dir():
        raise UsageError("a report can't replace a directory", where=path, fix="Name a file in it.")
    return ReportFile(name, Path(path))


def write_reports(verdict: Verdict, reports: Iterable[ReportFile]) -> None:
    """Write each report atomically. Raises InfrastructureError when the disk refuses."""
    for report in reports:
        atomic_write(report.path, FORMATS[report.format](verdict))
