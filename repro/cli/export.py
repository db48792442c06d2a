"""`repro export`: a lock's packages in other formats."""

import os
from pathlib import Path
from typing import get_args

import click

from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import PATH, PLATFORM
from repro.cli.settings import Settings, common
from repro.errors import UsageError
from repro.export import Format, conda_explicit, conda_lock, left_out, pylock, requirements
from repro.files import atomic_write
from repro.lock import Lock, load_lock


@click.command("export")
@click.option(
    "--format",
    "kind",
    type=click.Choice(get_args(Format)),
    required=True,
    help="requirements.txt with hashes, pylock.toml (PEP 751), conda-lock.yml, or conda's explicit file.",
)
@click.option("-f", "--file", type=PATH, metavar="LOCK", help="The lock; the nearest repro.lock otherwise.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Where to write; standard output otherwise.")
@click.option("--platform", "target", type=PLATFORM, help="For requirements and conda-explicit: which platform.")
@common
@click.pass_obj
def command(settings: Settings, kind: Format, file: Path | None, output: Path | None, target: str | None) -> None:
    """Write a lock's packages in a format of other tools.

    Wheels that exist only in this project are named by their path, relative to FILE's directory, or to the project
    root on standard output. What a format has no place for is told as a warning.

    A Dockerfile is written by `repro build --emit-dockerfile DIR`.
    """
    with Console(settings) as console:
        if target and kind in {"pylock", "conda-lock"}:
            raise UsageError(f"{kind} has every platform of the lock", where="--platform", fix="Leave it out.")
        path = lock_path(file)
        lock, _ = load_lock(path, console.progress)
        chosen = target or lock.targets[0]
        text = _text(lock, kind, chosen, _root(path, output))
        for sentence in left_out(lock, kind, chosen):
            console.progress.warn(sentence)
        if output is None:
            console.show(text)
        else:
            atomic_write(output, text.encode())
            console.progress.note(f"Wrote {output}")


def _text(lock: Lock, kind: Format, target: str, root: str) -> str:
    match kind:
        case "requirements":
            return requirements(lock, target, root)
        case "pylock":
            return pylock(lock, root)
        case "conda-lock":
            return conda_lock(lock)
        case "conda-explicit":
            return conda_explicit(lock, target)


def _root(lock: Path, output: Path | None) -> str:
    """The project root, seen from the directory of the file; what is shown on the screen is for the root itself."""
    root = lock.resolve().parent
    return "." if output is None else Path(os.path.relpath(root, output.resolve().parent)).as_posix()
