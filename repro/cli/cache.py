"""`repro cache`: what is kept between runs, and making it smaller."""

from pathlib import Path

import click

from repro.cli.console import Console
from repro.cli.parameters import amount
from repro.cli.settings import Settings, common, json_option
from repro.errors import UsageError
from repro.oci.shelf import Item
from repro.report.cache import cache_json, cache_text, removed_text
from repro.store.cache import cache_directory
from repro.store.usage import Shelves, cache_units, clear, prune


def _remove(path: Path) -> bool:
    if path.parent.name != "sandboxes":
        return Item(path, 0.0).remove()
    from repro.engines.bubblewrap.scratch import remove_run  # noqa: PLC0415 - only where there are sandboxes

    return remove_run(path)


_SHELVES = Shelves(frozenset({"pythons", "rootfs/images", "rootfs/layers", "sandboxes"}), remove=_remove)


@click.command("cache")
@click.option("--prune", "limit", type=amount, metavar="SIZE", help="Remove the longest unused; keep SIZE: 10g.")
@click.option("--clear", "everything", is_flag=True, help="Remove everything that isn't in use.")
@json_option
@common
@click.pass_obj
def command(settings: Settings, *, limit: int | None, everything: bool) -> None:
    """Show what is kept between runs: downloads, base images, assembled layers, interpreters.

    All of it can be had again; removing it costs time only. What was used within the last hour is never pruned, because
    a build may be using it now.
    """
    if limit is not None and everything:
        raise UsageError("--prune and --clear exclude each other", fix="Name one of them.")
    directory = cache_directory()
    with Console(settings) as console:
        removed = None
        if everything:
            removed = clear(directory, shelves=_SHELVES)
        elif limit is not None:
            removed = prune(directory, limit, shelves=_SHELVES)
        units = cache_units(directory, _SHELVES)
        if removed is not None and not settings.json:
            console.show(removed_text(removed, sum(unit.size for unit in units), limit or 0, console.style))
            return
        shown = cache_json(directory, units, removed) if settings.json else cache_text(directory, units, console.style)
        console.show(shown)
