"""`repro verify`: image → verdict."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import choose_lock
from repro.cli.parameters import duration, judge_options, size
from repro.cli.reports import report_option, reported, scratch
from repro.cli.settings import Settings, common, json_option
from repro.engines.model import Engine
from repro.engines.select import BUBBLEWRAP, ENGINES, engine_for, find_engine
from repro.progress import Progress
from repro.report.dossier import gather
from repro.report.formats import parse_reports, write_reports
from repro.report.terminal import verdict_text
from repro.verify.document import render_verdict
from repro.verify.stage import verify


@click.command("verify")
@click.argument("image")
@judge_options
@report_option
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=1,
    metavar="N",
    help="Run the evaluation N times: tells a metric that moved from one that is not the same twice.",
)
@click.option("--timeout", type=duration, help="Stop the run after this: 90, 10m, 2h.")
@click.option("--memory", type=size, help="Most memory for the run: 512m, 4g.")
@click.option("--engine", "wanted", type=click.Choice(ENGINES), help="What runs the image; found by itself otherwise.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings,
    *,
    image: str,
    named: Path | None,
    data: Path | None,
    reports: tuple[str, ...],
    runs: int,
    timeout: float | None,
    memory: int | None,
    baked_lock: bool,
    wanted: str | None,
) -> int:
    """Rerun the evaluation in an image, sealed off from the network, and compare every metric.

    First the image is checked against the lock; one that differs is not run. Exit codes: 0 verified, 1 a metric moved,
    3 the evaluation failed, 4 infrastructure, 5 tampered, 6 not comparable, 7 out of memory, 8 timed out.
    """
    files = parse_reports(reports)
    with Console(settings) as console, scratch(wanted=bool(files)) as folder:
        with reported(image, files):
            chosen = choose_lock(named, baked=baked_lock, progress=console.progress)
            verdict = verify(
                image,
                lock=(chosen.lock, chosen.data) if chosen else None,
                engine=_engine(engine_for(image, wanted), console.progress),
                timeout=timeout,
                memory=memory,
                project=chosen.project if chosen else None,
                progress=console.progress,
                data=data,
                runs=runs,
                evidence=None if chosen else folder,
            )
        dossier = gather(verdict, chosen.lock, chosen.project) if chosen else gather(verdict, None, None).passing()
        verdict = dossier.verdict
        console.show(render_verdict(verdict) if settings.json else verdict_text(verdict, console.style))
        write_reports(dossier, files)
    return verdict.outcome.exit_code


def _engine(wanted: str | None, progress: Progress) -> Engine:
    """The engine; a note tells when nothing but bubblewrap was found, which has images of its own."""
    engine = find_engine(wanted)
    if wanted is None and engine.info().name == BUBBLEWRAP:
        progress.note("no container engine answers: bubblewrap runs the image")
    return engine
