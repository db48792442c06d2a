"""`repro doctor`: what works here."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.diagnosis import diagnose
from repro.cli.settings import Settings, common, json_option
from repro.errors import ExitCode
from repro.report.doctor import doctor_text
from repro.report.json import doctor_json


@click.command("doctor")
@json_option
@common
@click.pass_obj
def command(settings: Settings) -> int:
    """Check the engine, base image, package index, certificates, proxies, disk and kernels.

    Each line says what was found and what to do about it. Exit code 4 when something that is needed doesn't work.
    """
    with Console(settings) as console:
        checks = diagnose(Path.cwd(), console.progress)
        console.show(doctor_json(checks) if settings.json else doctor_text(checks, console.style))
    failed = any(check.status == "fail" for check in checks)
    return ExitCode.INFRASTRUCTURE if failed else ExitCode.OK
