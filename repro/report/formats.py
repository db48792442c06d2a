"""Report files: `--report FORMAT=PATH`. A new format is a function from Verdict to bytes, entered in `FORMATS`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.errors import ReproError, UsageError
from repro.files import atomic_write
from repro.verify.document import parse_verdict, render_verdict
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
    if Path(path).exists() and not _is_verdict(Path(path)):
        raise UsageError(
            "this file is there and is no verdict; a report only replaces an earlier one",
            where=path,
            fix="Name another file, or remove this one.",
        )
    return ReportFile(name, Path(path))


def _is_verdict(path: Path) -> bool:
    """Whether a file may be replaced: an earlier report, an empty file, or a device such as /dev/stdout."""
    if not path.is_file():
        return True
    try:
        data = path.read_bytes()
        parse_verdict(data)
    except (OSError, ReproError, ValueError, KeyError):
        return path.stat().st_size == 0
    return True


def write_reports(verdict: Verdict, reports: Iterable[ReportFile]) -> None:
    """Write each report atomically. Raises InfrastructureError when the disk refuses."""
    for report in reports:
        atomic_write(report.path, FORMATS[report.format](verdict))
