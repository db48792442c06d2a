"""`repro build`: repro.lock → image."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from repro.build import BuildRequest, Output, Sources, build, emit, parse_output
from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import BYTECODE, ENCODING, PATH, PLATFORM
from repro.cli.settings import Settings, common, json_option
from repro.http import Session, per_thread, session
from repro.lock import load_lock
from repro.plan import BuiltImage, make_plan, runner_sources
from repro.registry import Registry
from repro.report.json import build_json
from repro.report.summaries import build_summary, layer_sizes


@click.command("build")
@click.option("-f", "--file", type=PATH, metavar="LOCK", help="The lock; the nearest repro.lock otherwise.")
@click.option("-t", "--tag", "tags", multiple=True, help="Name for the image; repeatable.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="DEST", help="Where to, see below; repeatable.")
@click.option("--push", is_flag=True, help="Push to the registries that the tags name.")
@click.option("--platform", "targets", type=PLATFORM, multiple=True, help="Which of the lock's platforms; repeatable.")
@click.option("--base", metavar="PLACE", help="The locked base image in a file: oci:DIR, oci-archive:FILE, …")
@click.option("--layer-encoding", "encoding", type=ENCODING, help="Compression of layers; the lock's otherwise.")
@click.option("--pyc", "bytecode", type=BYTECODE, help="Modules to compile; the lock's choice otherwise.")
@click.option("--builder", default="oci", show_default=True, help="An installed builder: oci or docker.")
@click.option("--verify-reproducible", "twice", is_flag=True, help="Make it twice from nothing first, and compare.")
@click.option("--trust-lock", "trust", is_flag=True, help="Don't make layers that the destination has as predicted.")
@click.option("--no-cache", is_flag=True, help="Don't reuse layers of earlier builds.")
@click.option("--ca-cert", type=PATH, help="CA certificates to trust; the system's otherwise.")
@click.option("--emit-dockerfile", type=PATH, metavar="DIR", help="Write what `docker build` needs, and don't build.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    file: Path | None,
    outputs: tuple[str, ...],
    push: bool,
    base: str | None,
    ca_cert: Path | None,
    emit_dockerfile: Path | None,
    **options: Any,
) -> None:
    """Build the image of a lock.

    Code, data, model and every download are checked against the lock first: one changed byte stops the build and is
    named. No engine, no root and no network is needed once everything is here. The same lock gives the same digest.

    \b
    The image goes into the container engine that answers, else into the project's own .repro/images, or where
    --output says:
      engine             the container engine, only the layers that it lacks
      oci:DIRECTORY      an OCI image layout
      oci-archive:FILE   a tar that `docker load`, podman and skopeo read
    """  # noqa: D301 - the backspace is click's mark for text that keeps its lines

    def trusted() -> Session:
        return session(ca_cert=ca_cert)

    places = [*(parse_output(text) for text in outputs), *([Output("registry")] if push else [])]
    path = lock_path(file)
    request = BuildRequest(lock_path=path, outputs=tuple(places), **options)
    sources = Sources(sessions=per_thread(trusted), registry=lambda: Registry(trusted), base=base)
    with Console(settings) as console:
        if emit_dockerfile is not None:
            recipe = replace(request, builder="docker")
            console.show(f"{emit(recipe, emit_dockerfile, sources, console.progress)}\n")
            return
        images = build(request, sources, console.progress)
        console.show(_shown(images, request, settings, console))


def _shown(images: list[BuiltImage], request: BuildRequest, settings: Settings, console: Console) -> str | bytes:
    lock, body = load_lock(request.lock_path)
    if request.bytecode is not None:
        lock = replace(lock, image=replace(lock.image, bytecode=request.bytecode, compiled=None))
    sizes = [layer_sizes(make_plan(lock, body, runner_sources(), image.platform)) for image in images]
    described = list(zip(images, sizes, strict=True))
    return build_json(described) if settings.json else build_summary(described, console.style)
