"""`repro diff`: what changed between two locks, images or a lock and the working tree."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import PATH
from repro.cli.settings import Settings, common, json_option
from repro.differ import difference
from repro.differ.opening import Opener
from repro.differ.tree import TreeOptions
from repro.engines.select import find_engine
from repro.errors import ExitCode, UsageError
from repro.report.diff import diff_json, diff_markdown, diff_text


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", required=False)
@click.option("--python", type=PATH, help="Interpreter whose environment counts for a working tree.")
@click.option("--markdown", is_flag=True, help="Print it for a pull request or a job summary.")
@json_option
@common
@click.pass_obj
def command(settings: Settings, before: str, after: str | None, *, python: Path | None, markdown: bool) -> int:
    """Show what changed from A to B, what can move a metric first.

    \b
    A and B are each one of these; B is the project that you are in when it is left out:
      repro.lock                    a lock file
      git:REVISION[:PATH]           a lock as git has it, such as git:main
      DIRECTORY                     a project: its files, settings and packages as they are now
      NAME                          an image in the container engine
      oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME]

    Nothing is run. Exit codes, as with diff: 0 nothing differs, 1 something does.
    """  # noqa: D301 - the backspace is click's mark for text that keeps its lines
    if markdown and settings.json:
        raise UsageError("--markdown and --json can't go together", fix="Leave one of them out.")
    with Console(settings) as console:
        opener = Opener(
            find_engine,
            lambda: lock_path(None, "name both sides: `repro diff A B`"),
            TreeOptions(python),
            console.progress,
        )
        found = difference(opener.open(before), opener.open(after))
        if settings.json:
            console.show(diff_json(found))
        else:
            console.show(diff_markdown(found) if markdown else diff_text(found, console.style))
    return ExitCode.OK if found.same else ExitCode.MISMATCH
