"""`repro pull`: locked files from where they come from."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.locks import lock_path
from repro.cli.parameters import PATH
from repro.cli.settings import Settings, common, json_option
from repro.errors import UsageError
from repro.http import Session, per_thread, session
from repro.lock import LockedFile, load_lock
from repro.report.pull import pull_json, pull_text
from repro.sources import Network, pull


@click.command("pull")
@click.argument("paths", nargs=-1, type=PATH, metavar="[PATHS]...")
@click.option("-f", "--file", type=PATH, metavar="LOCK", help="The lock; the nearest repro.lock otherwise.")
@click.option("--force", is_flag=True, help="Replace files that hold something else.")
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.option("--ca-cert", type=PATH, help="CA certificates to trust; the system's otherwise.")
@json_option
@common
@click.pass_obj
def command(
    settings: Settings, paths: tuple[Path, ...], *, file: Path | None, force: bool, dry_run: bool, ca_cert: Path | None
) -> int:
    """Fetch the locked data and models that are missing here from where they come from.

    Each file is compared with the lock before it gets its name. A file that holds something else is left alone and
    told. PATHS are files and folders of the project; everything in the lock that has a source otherwise.

    A download that was cut off goes on where it stopped.
    """

    def trusted() -> Session:
        return session(ca_cert=ca_cert)

    path = lock_path(file)
    with Console(settings) as console:
        lock, _ = load_lock(path, console.progress)
        root = path.resolve().parent
        network = Network(per_thread(trusted), ca_cert=ca_cert, environ=os.environ)
        chosen = _chosen(lock.files, root, paths)
        report = pull(root, chosen, network=network, progress=console.progress, force=force, dry_run=dry_run)
        shown = pull_json(path, report, dry_run=dry_run) if settings.json else pull_text(report, console.style)
        console.show(shown)
    return report.exit_code


def _chosen(files: Sequence[LockedFile], root: Path, paths: Sequence[Path]) -> list[LockedFile]:
    """The files that were asked for; without any, those that have a source or are missing.

    Raises UsageError for a path that the lock doesn't have.
    """
    if not paths:
        return [file for file in files if file.source is not None or not os.path.lexists(root / file.path)]
    asked = [Path(os.path.relpath(path.absolute().parent.resolve() / path.name, root)).as_posix() for path in paths]
    unknown = [path for path in asked if not any(_within(file.path, path) for file in files)]
    if unknown:
        raise UsageError(
            f"the lock has no file {', '.join(unknown)}", where=str(root), fix="`repro inspect` lists its files."
        )
    return [file for file in files if any(_within(file.path, path) for path in asked)]


def _within(path: str, place: str) -> bool:
    return place in {".", path} or path.startswith(f"{place}/")
