"""`repro` itself: knows its commands by name and loads one only when it is run, so that help is instant."""

import importlib

import click

from repro import __version__
from repro.cli.settings import common

_COMMANDS = {
    "capture": "Rerun a notebook or script and write repro.lock.",
    "pull": "Fetch locked data and models from where they come from.",
    "build": "Build the image of a lock.",
    "verify": "Rerun the evaluation in an image and compare its metrics.",
    "explain": "Show what may have moved a metric, or prove it by experiment.",
    "bisect": "Find the package changes between two locks that move a metric.",
    "diff": "Show what changed between two locks, images or a lock and the working tree.",
    "check": "Tell whether a lock is still true of its project, without running anything.",
    "report": "Write the reports of a run that was kept.",
    "inspect": "Show what a lock or an image says.",
    "export": "Write a lock's packages in other formats.",
    "validate": "Recompute every digest of an image.",
    "cache": "Show what is kept between runs, and make it smaller.",
    "doctor": "Check what works here and what to do about the rest.",
}
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"repro.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(__version__, prog_name="repro")
@common
@click.pass_context
def repro(context: click.Context) -> None:
    """End "works on my laptop" for machine learning.

    A model reaches deployment as an image that anyone can rebuild, rerun, and check against the numbers its author
    saw: capture on the laptop, build in CI, verify before handoff.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
