"""`repro build`: repro.lock → image."""

from pathlib import Path

import click

from repro.build import build, emit
from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import PATH, PLATFORM
from repro.cli.settings import Settings, common, json_option
from repro.http import Session, per_thread, session
from repro.lock import load_lock
from repro.plan import make_plan, runner_sources
from repro.report.json import build_json
from repro.report.summaries import build_summary, layer_sizes


@click.command("build")
@click.option("-f", "--file", type=PATH, metavar="LOCK", help="The lock; the nearest repro.lock otherwise.")
@click.option("-t", "--tag", "tags", multiple=True, help="Name for the image; repeatable.")
@click.option("--builder", default="docker", show_default=True, help="An installed builder.")
@click.option("--platform", "target", type=PLATFORM, help="Which of the lock's platforms.")
@click.option("--no-cache", is_flag=True, help="Don't reuse steps of earlier builds.")
@click.option("--ca-cert", type=PATH, help="CA certificates to trust; the system's otherwise.")
@click.option("--emit-dockerfile", type=PATH, metavar="DIR", help="Write what `docker build` needs, and don't build.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings,
    *,
    file: Path | None,
    tags: tuple[str, ...],
    builder: str,
    target: str | None,
    ca_cert: Path | None,
    emit_dockerfile: Path | None,
    no_cache: bool,
) -> None:
    """Build the image of a lock.

    Code, data, model and every download are checked against the lock first: one changed byte stops the build and is
    named. Packages are installed without a network.
    """

    def trusted() -> Session:
        return session(ca_cert=ca_cert)

    sessions = per_thread(trusted)
    lock = lock_path(file)
    with Console(settings) as console:
        if emit_dockerfile is not None:
            written = emit(
                lock, emit_dockerfile, builder=builder, target=target, sessions=sessions, progress=console.progress
            )
            console.show(f"{written}\n")
            return
        image = build(
            lock,
            tags=tags,
            builder=builder,
            target=target,
            sessions=sessions,
            progress=console.progress,
            no_cache=no_cache,
        )
        layers = layer_sizes(make_plan(*load_lock(lock), runner_sources(), target))
        console.show(build_json(image, layers) if settings.json else build_summary(image, layers, console.style))
