"""`repro validate`: recompute every digest of an image."""

import click

from repro.cli.console import Console
from repro.cli.settings import Settings, common, json_option
from repro.engines.select import find_docker
from repro.errors import ExitCode
from repro.plan import layout
from repro.registry import Registry
from repro.report.validation import validation_json, validation_text
from repro.transfer.validate import validate_target

_CLAIMS = {layout.LABEL_LOCK: layout.LOCK.relative_to("/").as_posix()}


@click.command("validate")
@click.argument("target", metavar="TARGET")
@json_option
@common
@click.pass_obj
def command(settings: Settings, target: str) -> int:
    """Recompute every digest, size and count that an image claims, and look into its layers.

    TARGET is an OCI layout or an archive (a path, oci:DIR[:NAME], oci-archive:FILE[:NAME] or
    docker-archive:FILE[:NAME]), docker://NAME for an image in a registry, or an image that the engine has. Without a
    NAME, all images of a layout or archive are checked; of an index, those for every platform.

    Exits with 5 when anything is not as claimed, after all of it was told.
    """
    with Console(settings) as console:
        report = validate_target(
            target, claims=_CLAIMS, engine=find_docker, registry=Registry(), progress=console.progress
        )
        text = validation_json(target, report) if settings.json else validation_text(target, report, console.style)
        console.show(text)
    return ExitCode.TAMPERED if report.problems else ExitCode.OK
