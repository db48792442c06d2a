"""`repro inspect`: what a lock or an image says."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.inspection import inspect_image, is_lock
from repro.cli.settings import Settings, common, json_option
from repro.digest import Digest
from repro.engines.select import engine_for, find_engine
from repro.lock import load_lock
from repro.report.json import image_json, lock_json
from repro.report.summaries import image_text, lock_text


@click.command("inspect")
@click.argument("target", metavar="LOCK|IMAGE")
@json_option
@common
@click.pass_obj
def command(settings: Settings, target: str) -> None:
    """Show what a lock or an image says, without running anything.

    For an image of the container engine, or in a file (oci:DIR[:NAME], oci-archive:FILE, docker-archive:FILE), that is
    its baked-in lock, its labels and size, and whether all of it agrees.
    """
    with Console(settings) as console:
        if is_lock(target):
            lock, body = load_lock(Path(target), console.progress)
            digest = Digest.of(body)
            console.show(lock_json(lock, digest) if settings.json else lock_text(lock, digest, console.style))
            return
        found = inspect_image(target, find_engine(engine_for(target, None)), console.progress)
        console.show(image_json(found) if settings.json else image_text(found, console.style))
