"""Debian's and conda's packages for builders that can't unpack them: the assembler's own layers as tars to add."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.oci import tar
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.oci.tree import complete
from repro.plan import BuildPlan, CondaLink, CondaScripts, Content, Deb, Layer, Supplies, Unpack
from repro.plan.conda import conda_python
from repro.plan.versions import minor_version
from repro.progress import Progress, Silent
from repro.store import ObjectStore
from repro.store.cache import cache_directory


def with_plain_layers(
    plan: BuildPlan,
    supplies: Supplies,
    base: Callable[[], Image],
    cache: ObjectStore,
    progress: Progress | None = None,
) -> tuple[BuildPlan, dict[Digest, Path]]:
    """The plan with each layer of Debian's or conda's packages as a tar to unpack, and those tars.

    Args:
        plan: Any plan.
        supplies: Brings the packages.
        base: Gives the base; asked only when there are Debian packages, or conda packages whose scripts run.
        cache: Where the tars are kept.
        progress: Told what those scripts say.

    Raises:
        IntegrityError: A package can't be trusted.
        CaptureError: A maintainer script would have to run that nobody knows, or a post-link script failed.
        UsageError: A conda package has a script, of which the lock doesn't say what happens with it.
        InfrastructureError: Post-link scripts can't be run on this machine.
    """
    made: dict[Digest, Path] = {}
    layers = []
    python = conda_python(plan)
    for layer in plan.layers:
        entries = _entries(plan, layer, base, supplies, progress or Silent())
        if entries is None:
            layers.append(layer)
            continue
        content = _tar(layer, entries, cache)
        made[content.sha256] = cache.path(content.sha256)
        layers.append(replace(layer, items=(Unpack(content),)))
    version = python.package.version if python else plan.python_version
    return replace(plan, layers=tuple(layers), python_version=version), made


def _entries(
    plan: BuildPlan, layer: Layer, base: Callable[[], Image], supplies: Supplies, progress: Progress
) -> Iterable[Entry] | None:
    """What such a layer holds; None for any other."""
    if any(isinstance(item, Deb) for item in layer.items):
        from repro_oci.system import system_entries_of  # noqa: PLC0415 - most images have none

        return system_entries_of(layer, base(), supplies, cache_directory())
    if any(isinstance(item, CondaScripts) for item in layer.items):
        from repro_oci.conda_scripts import scripted_entries  # noqa: PLC0415 - few images have any

        return scripted_entries(plan, base(), supplies, cache_directory(), progress)
    if any(isinstance(item, CondaLink) for item in layer.items):
        from repro_oci.items import contents, item_entries  # noqa: PLC0415 - many images have none

        files = supplies.bring(contents(layer.items))
        minor = minor_version(plan.python_version)
        return [entry for item in layer.items for entry in item_entries(item, files, minor)]
    return None


def _tar(layer: Layer, entries: Iterable[Entry], cache: ObjectStore) -> Content:
    with cache.incoming() as incoming:
        for block in tar.stream(complete(entries)):
            incoming.write(block)
    return Content(incoming.digest, incoming.size, f"{layer.name}.tar")
