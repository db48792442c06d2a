"""`repro bisect`: two locks → the package changes that move a metric."""

import threading
from pathlib import Path

import click

from repro.build import Sources
from repro.cli.console import Console
from repro.cli.parameters import FILE, PATH, duration, size
from repro.cli.settings import Settings, common, json_option
from repro.engines import ENGINES, Engine, find_engine
from repro.http import Session, per_thread, session
from repro.lock import load_lock
from repro.progress import Progress
from repro.proof.bench import Limits
from repro.proof.mixtures import Side
from repro.proof.question import Request, run_bisection
from repro.registry import Registry
from repro.report.bisect import bisection_json, bisection_text


@click.command("bisect")
@click.argument("lock_a", type=FILE)
@click.argument("lock_b", type=FILE)
@click.option("--metric", help="The metric that moved; the only one that differs between the locks otherwise.")
@click.option("--max-runs", type=click.IntRange(min=1), metavar="N", help="Stop after this many images were run.")
@click.option("--resume", is_flag=True, help="Go on from what an earlier search of the same question has tried.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Runs at once; 1 where they have several threads."
)
@click.option("--data", type=PATH, help="Where files are that images lack; the folder of LOCK_A otherwise.")
@click.option("--base", metavar="PLACE", help="The locked base image in a file: oci:DIR, oci-archive:FILE, …")
@click.option("--timeout", type=duration, help="Stop each run after this: 90, 10m, 2h.")
@click.option("--memory", type=size, help="Most memory for each run: 512m, 4g.")
@click.option("--engine", "wanted", type=click.Choice(ENGINES), help="What runs the images; found by itself otherwise.")
@click.option("--ca-cert", type=PATH, help="CA certificates to trust; the system's otherwise.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings,
    *,
    lock_a: Path,
    lock_b: Path,
    metric: str | None,
    max_runs: int | None,
    resume: bool,
    jobs: int | None,
    data: Path | None,
    base: str | None,
    timeout: float | None,
    memory: int | None,
    wanted: str | None,
    ca_cert: Path | None,
) -> int:
    """Find the smallest set of package changes from LOCK_A to LOCK_B that moves a metric.

    LOCK_A's code and data run again and again with some of LOCK_B's packages, by delta debugging; nothing of LOCK_B
    but its packages is used. What was tried is kept in .repro/bisect. Exit codes: 0 answered, 1 stopped before the
    answer, 6 there is nothing to compare.
    """

    def trusted() -> Session:
        return session(ca_cert=ca_cert)

    sources = Sources(sessions=per_thread(trusted), registry=lambda: Registry(trusted), base=base)
    with Console(settings) as console:
        request = Request(
            one=_side(lock_a, console.progress),
            other=_side(lock_b, console.progress),
            metric=metric,
            limits=Limits(timeout, memory),
            max_runs=max_runs,
            jobs=jobs,
            resume=resume,
            data=data,
        )
        found = run_bisection(request, _Engines(wanted), sources, console.progress)
        console.show(bisection_json(found) if settings.json else bisection_text(found, console.style))
    return found.answer.exit_code


def _side(path: Path, progress: Progress) -> Side:
    return Side(path.resolve().parent, *load_lock(path, progress))


class _Engines:
    """An engine of its own for each thread: clients are not made to be shared."""

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted
        self._own = threading.local()

    def __call__(self) -> Engine:
        if not hasattr(self._own, "engine"):
            self._own.engine = find_engine(self._wanted)
        engine: Engine = self._own.engine
        return engine
