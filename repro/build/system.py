"""Debian packages for builders that can't unpack them: the assembler's own layer as a plain tar, for them to add."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.oci import tar
from repro.oci.image import Image
from repro.oci.tree import complete
from repro.plan import BuildPlan, Content, Deb, Layer, Supplies, Unpack
from repro.store import ObjectStore
from repro.store.cache import cache_directory


def with_plain_system(
    plan: BuildPlan, supplies: Supplies, base: Callable[[], Image], cache: ObjectStore
) -> tuple[BuildPlan, dict[Digest, Path]]:
    """The plan with each layer of Debian packages as a tar to unpack, and those tars.

    Args:
        plan: Any plan.
        supplies: Brings the packages.
        base: Gives the base; asked only when there is such a layer.
        cache: Where the tars are kept.

    Raises:
        IntegrityError: A package can't be trusted.
        CaptureError: A maintainer script would have to run that nobody knows.
    """
    made: dict[Digest, Path] = {}
    layers = []
    for layer in plan.layers:
        if any(isinstance(item, Deb) for item in layer.items):
            content = _tar(layer, base(), supplies, cache)
            made[content.sha256] = cache.path(content.sha256)
            layers.append(replace(layer, items=(Unpack(content),)))
        else:
            layers.append(layer)
    return replace(plan, layers=tuple(layers)), made


def _tar(layer: Layer, base: Image, supplies: Supplies, cache: ObjectStore) -> Content:
    from repro_oci.system import system_entries_of  # noqa: PLC0415 - most images have none

    entries = complete(system_entries_of(layer, base, supplies, cache_directory()))
    with cache.incoming() as incoming:
        for block in tar.stream(entries):
            incoming.write(block)
    return Content(incoming.digest, incoming.size, f"{layer.name}.tar")
