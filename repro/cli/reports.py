"""The option `--report`, and report files for verifications that end in an error instead of a verdict."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from repro.errors import InfrastructureError, IntegrityError
from repro.report.dossier import Dossier
from repro.report.formats import FORMATS, ReportFile, write_reports
from repro.verify.stage import unfinished

_F = TypeVar("_F", bound=Callable[..., Any])


def report_option(command: _F) -> _F:
    """`--report FORMAT=PATH`, as often as there are formats."""
    kinds = ", ".join(f"{name} ({kind.title})" for name, kind in FORMATS.items())
    return click.option(
        "--report", "reports", multiple=True, metavar="FORMAT=PATH", help=f"Also write a report: {kinds}."
    )(command)


@contextlib.contextmanager
def scratch(*, wanted: bool) -> Iterator[Path | None]:
    """Where a run without a project leaves what reports show; gone with the command. None unless it is wanted."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="repro-report-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def reported(image: str, reports: Sequence[ReportFile]) -> Iterator[None]:
    """Whoever waits for a report gets one also when nothing was judged; the error goes on."""
    try:
        yield
    except (InfrastructureError, IntegrityError) as error:
        with contextlib.suppress(InfrastructureError):
            write_reports(Dossier(unfinished(image, error)), reports)
        raise
