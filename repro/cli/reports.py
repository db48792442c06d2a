"""Report files for verifications that end in an error instead of a verdict."""

import contextlib
from collections.abc import Iterator, Sequence

from repro.errors import InfrastructureError, IntegrityError
from repro.report.formats import ReportFile, write_reports
from repro.verify.stage import unfinished


@contextlib.contextmanager
def reported(image: str, reports: Sequence[ReportFile]) -> Iterator[None]:
    """Whoever waits for a report gets one also when nothing was judged; the error goes on."""
    try:
        yield
    except (InfrastructureError, IntegrityError) as error:
        with contextlib.suppress(InfrastructureError):
            write_reports(unfinished(image, error), reports)
        raise
