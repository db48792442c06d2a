"""`repro report`: a kept run → the reports that `repro verify` writes."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.parameters import PATH
from repro.cli.reports import report_option
from repro.cli.settings import Settings, common, json_option
from repro.report.dossier import read_run
from repro.report.formats import parse_reports, write_reports
from repro.report.terminal import verdict_text
from repro.verify.document import render_verdict


@click.command("report")
@click.argument("run", type=PATH)
@report_option
@json_option
@common
@click.pass_obj
def command(settings: Settings, *, run: Path, reports: tuple[str, ...]) -> None:
    """Show the verdict of a run that was kept, and write reports of it.

    RUN is a directory below .repro/runs that `repro verify` made, or a verdict that it wrote as JSON.
    """
    files = parse_reports(reports)
    with Console(settings) as console:
        dossier = read_run(run)
        verdict = dossier.verdict
        console.show(render_verdict(verdict) if settings.json else verdict_text(verdict, console.style))
        write_reports(dossier, files)
