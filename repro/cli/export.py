"""`repro export`: a lock's packages in other formats."""

import os
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

    Wheels that exist only in this project are named by their path, relative to FILE's directory, or to the project
    root on standard output.

    A Dockerfile is written by `repro build --emit-dockerfile DIR`.
    """
    with Console(settings) as console:
        path = lock_path(file)
        lock, _ = load_lock(path, console.progress)
        root = _root(path, output)
        text = pylock(lock, root) if kind == "pylock" else requirements(lock, target or lock.targets[0], root)
        if output is None:
            console.show(text)
        else:
            atomic_write(output, text.encode())
            console.progress.note(f"Wrote {output}")


def _root(lock: Path, output: Path | None) -> str:
    """The project root, seen from the directory of the file; what is shown on the screen is for the root itself."""
    root = lock.resolve().parent
    return "." if output is None else Path(os.path.relpath(root, output.resolve().parent)).as_posix()
