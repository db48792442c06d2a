"""`repro capture`: laptop → repro.lock."""

from pathlib import Path
from typing import Any

import click

from repro.capture.capture import capture
from repro.capture.request import CaptureRequest
from repro.capture.review import nobody
from repro.cli.console import Console
from repro.cli.parameters import BYTECODE, ENCODING, FILE, PATH, PLATFORM, duration
from repro.cli.settings import Settings, common, json_option
from repro.report.json import capture_json
from repro.report.sarif import sarif_writer
from repro.report.summaries import capture_summary


@click.command("capture")
@click.argument("subject", type=PATH, metavar="NOTEBOOK|SCRIPT")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@click.option("--config", type=FILE, help="Settings to use instead of the project's repro.toml.")
@click.option("-o", "--output", type=PATH, metavar="LOCK", help="Where to write; repro.lock in the project otherwise.")
@click.option("--no-run", "rerun", flag_value=False, default=True, help="Take stored outputs, unproven.")
@click.option("--runs", type=click.IntRange(1), default=1, metavar="N", help="Run it N times and tell what differs.")
@click.option("--timeout", type=duration, help="Limit for the whole run: 90, 10m, 2h.")
@click.option("--cell-timeout", type=duration, help="Limit for one cell.")
@click.option("--kernel", metavar="NAME", help="Kernelspec to use instead of the notebook's.")
@click.option("--python", type=PATH, help="Interpreter whose environment counts.")
@click.option("--index-url", metavar="URL", help="Package index to look in; pip's settings otherwise.")
@click.option("--extra-index-url", "extra_index_urls", metavar="URL", multiple=True, help="Another one; repeatable.")
@click.option("--ca-cert", type=PATH, help="CA certificates to trust; the system's otherwise.")
@click.option("--base", metavar="IMAGE", help="Base image.")
@click.option("--platform", "targets", type=PLATFORM, multiple=True, help="Where the image will run; repeatable.")
@click.option("--layer-encoding", "encoding", type=ENCODING, help="Compression of the image's layers.")
@click.option("--pyc", "bytecode", type=BYTECODE, help="Modules to compile in the image: imported ones otherwise.")
@click.option("--mount", metavar="GLOB", multiple=True, help="Keep this data out of the image; repeatable.")
@click.option("--allow-patched", metavar="NAME", multiple=True, help="Take this package with its edits; repeatable.")
@click.option("--allow-loose", metavar="MODULE", multiple=True, help="Take this module of no package; repeatable.")
@click.option("--no-predict", "predict", flag_value=False, default=True, help="Don't make the image to state it.")
@click.option("--strict", is_flag=True, help="Write no lock while there are findings that are errors or warnings.")
@click.option("--sarif", type=PATH, metavar="FILE", help="Also write the findings as SARIF, for code hosts.")
@json_option
@common
@click.pass_obj
def command(settings: Settings, /, subject: Path, sarif: Path | None, **options: Any) -> None:
    """Rerun a notebook or script in its own environment and write repro.lock.

    Everything that the run really used is pinned by sha256: packages, files, the interpreter, the base image, and every
    metric. Nothing is installed in the environment, and the lock is written only when every step succeeded.
    """
    with Console(settings) as console:
        tell = nobody if sarif is None else sarif_writer(sarif)
        result = capture(CaptureRequest(subject, **options), console.progress, tell=tell)
        if settings.json:
            console.show(capture_json(result))
            return
        console.show(
            capture_summary(
                result.lock,
                result.digest,
                result.path,
                changed=result.changed,
                warnings=result.warnings,
                repeats=result.repeats,
                findings=result.findings,
                seconds=result.seconds,
                style=console.style,
            )
        )
