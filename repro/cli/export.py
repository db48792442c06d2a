"""`repro export`: a lock's packages in other formats."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import PATH, PLATFORM
from repro.cli.settings import Settings, common
from repro.export import pylock, requirements
from repro.files import atomic_write
from repro.lock import load_lock


@click.command("export")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["requirements", "pylock"]),
    required=True,
    help="requirements.txt with hashes, or pylock.toml (PEP 751).",
)
@click.option("-f", "--file", type=PATH, metavar="LOCK", help="The lock; the nearest repro.lock otherwise.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Where to write; standard output otherwise.")
@click.option("--platform", "target", type=PLATFORM, help="For requirements: which of the lock's platforms.")
@common
@click.pass_obj
def command(settings: Settings, kind: str, file: Path | None, output: Path | None, target: str | None) -> None:
    """Write a lock's packages in a format of other tools.

    A Dockerfile is written by `repro build --emit-dockerfile DIR`.
    """
    with Console(settings) as console:
        lock, _ = load_lock(lock_path(file), console.progress)
        text = pylock(lock) if kind == "pylock" else requirements(lock, target or lock.targets[0])
        if output is None:
            console.show(text)
        else:
            atomic_write(output, text.encode())
            console.progress.note(f"Wrote {output}")
