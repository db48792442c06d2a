"""`repro check`: whether a lock is still true of its project."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import NAME, lock_path
from repro.cli.parameters import FILE, PATH
from repro.cli.settings import Settings, common, json_option
from repro.differ.check import check
from repro.differ.tree import TreeOptions
from repro.errors import ExitCode, UsageError
from repro.report.check import check_annotations, check_json, check_text


@click.command("check")
@click.argument("lock", type=PATH, required=False)
@click.option("--python", type=PATH, help="Interpreter whose environment counts; found as capture does otherwise.")
@click.option("--config", type=FILE, help="Settings to use instead of the project's repro.toml.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@click.option("--github", is_flag=True, help="Print annotations for GitHub Actions instead.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings, lock: Path | None, *, python: Path | None, config: Path | None, strict: bool, github: bool
) -> int:
    """Tell whether LOCK (a file, or its project's directory; the nearest repro.lock otherwise) is true of its project.

    Every locked file is hashed, and the sources, the settings, the files that declare packages and what is installed
    are compared with the lock. Nothing is run, no network and no container engine is needed.

    Exit codes: 0 it is true, 1 it is stale: capture would write another one; 5 the lock is damaged or was edited.
    """
    if github and settings.json:
        raise UsageError("--github and --json can't go together", fix="Leave one of them out.")
    named = lock / NAME if lock is not None and lock.is_dir() else lock
    with Console(settings) as console:
        options = TreeOptions(python, config, surroundings=False)
        report = check(lock_path(named, "name it: `repro check LOCK`"), options, console.progress)
        if settings.json:
            console.show(check_json(report))
        else:
            console.show(check_annotations(report) if github else check_text(report, console.style))
    if report.edited:
        return ExitCode.TAMPERED
    return ExitCode.MISMATCH if report.stale or (strict and report.warned) else ExitCode.OK
