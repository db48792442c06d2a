"""`repro explain`: an image whose metrics moved → why, as far as it is known or can be proved."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import choose_lock
from repro.cli.parameters import duration, judge_options, size
from repro.cli.settings import Settings, common, json_option
from repro.engines.select import ENGINES, engine_for, find_engine
from repro.proof.explain import Case, explain, prove
from repro.report.proof import explanation_json, explanation_text


@click.command("explain")
@click.argument("image")
@click.option("--prove", "proved", is_flag=True, help="Swap one suspected factor after another, both ways, twice each.")
@click.option("--metric", help="The metric that has to move; all that moved otherwise.")
@judge_options
@click.option("--timeout", type=duration, help="Stop each run after this: 90, 10m, 2h.")
@click.option("--memory", type=size, help="Most memory for each run: 512m, 4g.")
@click.option("--engine", "wanted", type=click.Choice(ENGINES), help="What runs the image; found by itself otherwise.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings,
    *,
    image: str,
    proved: bool,
    metric: str | None,
    named: Path | None,
    baked_lock: bool,
    data: Path | None,
    timeout: float | None,
    memory: int | None,
    wanted: str | None,
) -> int:
    """Show what may have moved a metric of an image, or prove it by experiment.

    Without --prove it shows what the last verification of the image found, and verifies it where there was none. With
    it, the evaluation runs twice as it is, then with one factor as on the laptop and set back again. Exit codes: 0
    explained or nothing moved, 1 unexplained or different in every run, else those of `repro verify`.
    """
    if metric is not None and not proved:
        raise click.UsageError("--metric goes with --prove")
    with Console(settings) as console:
        chosen = choose_lock(named, baked=baked_lock, progress=console.progress)
        case = Case(
            image=image,
            lock=(chosen.lock, chosen.data) if chosen else None,
            engine=find_engine(engine_for(image, wanted)),
            project=chosen.project if chosen else None,
            data=data,
            timeout=timeout,
            memory=memory,
        )
        found = prove(case, metric, console.progress) if proved else explain(case, console.progress)
        console.show(explanation_json(found) if settings.json else explanation_text(found, console.style))
    return found.exit_code
