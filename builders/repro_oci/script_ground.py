"""What post-link scripts find: the base with what a plan installs beside the environment, and the environment."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from repro.digest import Digest
from repro.oci import tar
from repro.oci.entry import Entry
from repro.oci.image import LAYER, Descriptor, Image
from repro.oci.sources import SourceImage
from repro.oci.tree import complete
from repro.plan import BuildPlan, Deb, Supplies, layout
from repro.plan.conda import below_scripts
from repro.plan.versions import minor_version
from repro.store import ObjectStore
from repro_oci.items import contents, item_entries
from repro_oci.system import system_entries_of

TOP = f"{layout.ENVIRONMENT.relative_to('/')}/"
"""What paths of the environment begin with."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What scripts find.

    Attributes:
        image: The base, with what is installed beside the environment.
        entries: The environment, complete, in the order of layers.
    """

    image: Image
    entries: list[Entry]


def make_ground(plan: BuildPlan, base: Image, supplies: Supplies, directory: Path) -> Ground:
    """Everything that lies below the scripts' layer.

    Args:
        plan: The plan.
        base: Its base.
        supplies: Brings packages.
        directory: The user's cache.

    Raises as making these layers does.
    """
    below = below_scripts(plan)
    items = [item for _, item in below if not isinstance(item, Deb)]
    files, minor = supplies.bring(contents(items)), minor_version(plan.python_version)
    entries = [entry for item in items for entry in item_entries(item, files, minor)]
    system = next((layer for layer, item in below if isinstance(item, Deb)), None)
    if system is not None:
        entries += system_entries_of(system, base, supplies, directory)
    beside = [entry for entry in entries if not entry.path.startswith(TOP)]
    image = _over(base, beside, ObjectStore(directory / "artifacts", durable=False)) if beside else base
    return Ground(image, complete(entry for entry in entries if entry.path.startswith(TOP)))


def _over(base: Image, entries: list[Entry], store: ObjectStore) -> Image:
    """The base with one layer more, as far as root file systems are concerned: it has no documents of its own."""
    with store.incoming() as incoming:
        for block in tar.stream(complete(entries)):
            incoming.write(block)
    layer = Descriptor(LAYER, incoming.digest, incoming.size)
    numbers = {descriptor: number for number, descriptor in enumerate(base.layers)}

    def opener(descriptor: Descriptor) -> BinaryIO:
        if descriptor == layer:
            return store.path(layer.digest).open("rb")
        return base.open_layer(numbers[descriptor])

    return SourceImage(
        manifest=b"",
        config=json.dumps([str(Digest.of(base.config)), str(layer.digest)]).encode(),
        layers=(*base.layers, layer),
        diff_ids=(*base.diff_ids, layer.digest),
        platform=base.platform,
        opener=opener,
    )
