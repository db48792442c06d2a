"""Plan and base → image: layers from the cache or made now, then the documents over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import UnionType

from repro.digest import Digest
from repro.lock import PredictedImage, PredictedLayer
from repro.oci.entry import Entry
from repro.oci.image import Descriptor, Image
from repro.plan import (
    Artifacts,
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Deb,
    InlineFile,
    Item,
    Layer,
    ProjectFile,
    Supplies,
    Unpack,
    Wheel,
)
from repro.plan.versions import minor_version
from repro.transfer.base import base_facts
from repro.words import count
from repro_oci.cache import CachedLayer
from repro_oci.config import MadeLayer, base_layers, image_config, image_manifest
from repro_oci.image import AssembledImage
from repro_oci.items import contents
from repro_oci.jobs import Job, keep
from repro_oci.keys import FORMAT, image_key, layer_key
from repro_oci.predicted import differences
from repro_oci.site import Site
from repro_oci.wheel_archive import count_members
from repro_oci.whole import check_whole
from repro_oci.workers import Crew

_SMALL = 16 << 20
"""Bytes of input below which starting processes costs more than it gains."""
_PER_FILE = 20_000
"""Bytes of a wheel that take as long as one file more."""
_CONDA = 8
"""Bytes of a wheel that take as long as one byte of a conda package, which is decompressed and stored plain."""


@dataclass(frozen=True, slots=True)
class _Assembly:
    plan: BuildPlan
    base: Image
    supplies: Supplies
    site: Site
    keys: dict[str, str]
    predicted: dict[str, PredictedLayer]
    made: dict[str, CachedLayer] = field(default_factory=dict)


def assemble_image(
    plan: BuildPlan, base: Image, supplies: Supplies, site: Site, predicted: PredictedImage | None = None
) -> AssembledImage:
    """The image of a plan on its base (see `repro.plan.Assembler.assemble`).

    With `predicted`, made by the same format, layers whose blobs come out as predicted aren't unpacked.
    """
    identity = Digest.of(base.config)
    keys = {layer.name: layer_key(layer, plan, identity) for layer in plan.layers}
    layers = predicted.layers if predicted is not None and predicted.format == FORMAT else ()
    work = _Assembly(plan, base, supplies, site, keys, {layer.name: layer for layer in layers})
    _find_and_make(work)
    image = documented(plan, base, [work.made[layer.name] for layer in plan.layers])
    if predicted is None or differences(image, predicted):  # a predicted one was looked at when it was predicted
        _check_whole(work, image_key(keys.values(), identity))
    return image


def _check_whole(work: _Assembly, key: str) -> None:
    """Look whether the layers fit together and fit the base, unless the cache knows that they do."""
    layers = work.site.layers
    if layers.known(key):
        return
    facts = base_facts(work.base, work.site.directory)
    check_whole(
        (layers.listing(work.keys[layer.name]) for layer in work.plan.layers),
        {path: fact.kind for path, fact in facts.paths.items()},
        replacing=[number for number, layer in enumerate(work.plan.layers) if _has(layer, CondaScripts)],
    )
    layers.note(key)


def documented(plan: BuildPlan, base: Image, layers: Sequence[CachedLayer]) -> AssembledImage:
    """The image over layers that are at hand, one for each of the plan's."""
    made = [
        MadeLayer(layer.name, layer.comment, cached.blob.diff_id, _descriptor(cached))
        for layer, cached in zip(plan.layers, layers, strict=True)
    ]
    config = image_config(plan, base, made)
    return AssembledImage(
        manifest=image_manifest(base, config, made),
        config=config,
        layers=(*base_layers(base), *(layer.descriptor for layer in made)),
        diff_ids=(*base.diff_ids, *(layer.diff_id for layer in made)),
        platform=plan.target,
        base=base,
        own=tuple(layers),
        names=tuple(layer.name for layer in plan.layers),
    )


def _descriptor(cached: CachedLayer) -> Descriptor:
    return Descriptor(cached.blob.media_type, cached.blob.digest, cached.blob.size)


def _find_and_make(work: _Assembly) -> None:
    """Every layer, from the cache or made now; `work.made` has them all afterwards."""
    missing = []
    for layer in work.plan.layers:
        found = work.site.layers.get(work.keys[layer.name], work.predicted.get(layer.name))
        if found is None:
            missing.append(layer)
        else:
            work.made[layer.name] = found
    if missing:
        _make(work, missing)


def _make(work: _Assembly, missing: Sequence[Layer]) -> None:
    plain = [layer for layer in missing if not _has(layer, Compile | Deb | CondaScripts)]
    if plain:
        _make_plain(work, plain)
    compiled = [layer for layer in missing if _has(layer, Compile)]
    if compiled:
        from repro_oci.compiled import Bytecode  # noqa: PLC0415 - only where modules aren't in the cache

        with Bytecode(work.plan, work.base, work.supplies, work.site) as bytecode:
            for layer in compiled:
                _keep(work, layer, bytecode.entries(layer))
    for layer in missing:
        if _has(layer, Deb):
            from repro_oci.system import system_entries_of  # noqa: PLC0415 - most images have none

            _keep(work, layer, system_entries_of(layer, work.base, work.supplies, work.site.directory))
        elif _has(layer, CondaScripts):
            from repro_oci.conda_scripts import scripted_entries  # noqa: PLC0415 - few images have any

            site = work.site
            _keep(work, layer, scripted_entries(work.plan, work.base, work.supplies, site.directory, site.progress))


def _has(layer: Layer, kinds: type[Item] | UnionType) -> bool:
    return any(isinstance(item, kinds) for item in layer.items)


def _keep(work: _Assembly, layer: Layer, entries: Sequence[Entry]) -> None:
    work.made[layer.name] = keep(work.keys[layer.name], entries, work.plan.encoding, work.site.layers)


def _make_plain(work: _Assembly, layers: Sequence[Layer]) -> None:
    taken = f", took {len(work.made)} from the cache" if work.made else ""
    total = sum(weight(item) for layer in layers for item in layer.items)
    helpers = min(work.site.workers, len(layers)) - 1 if total > _SMALL else 0
    with Crew(helpers) as crew:  # they start while files are brought and hashed
        files = work.supplies.bring({digest for layer in layers for digest in contents(layer.items)})
        jobs = [_job(work, layer, files) for layer in layers]
        task = work.site.progress.start("assembling layers", total, "bytes")
        for job, cached in crew.run(jobs, work.site.layers):
            task.advance(job.weight, job.name)
            work.made[job.name] = cached
    task.finish(f"assembled {count(len(jobs), 'layer')}{taken}")


def _job(work: _Assembly, layer: Layer, files: Artifacts) -> Job:
    digests = contents(layer.items)
    return Job(
        name=layer.name,
        key=work.keys[layer.name],
        encoding=work.plan.encoding,
        items=layer.items,
        files={digest: files[digest] for digest in digests},
        minor=minor_version(work.plan.python_version),
        weight=sum(weight(item) for item in layer.items),
        effort=sum(_effort(item, files) for item in layer.items),
        predicted=work.predicted.get(layer.name),
    )


def _effort(item: Item, files: Artifacts) -> int:
    """How long an item takes, in bytes of a wheel with few files."""
    if isinstance(item, Wheel):
        return weight(item) + _PER_FILE * count_members(files[item.file.sha256])
    return _CONDA * weight(item) if isinstance(item, CondaLink) else weight(item)


def weight(item: Item) -> int:
    """Bytes of input."""
    match item:
        case Wheel():
            return item.file.size
        case CondaLink(package):
            return package.size + sum(patch.size for patch in package.patched)
        case ProjectFile(content) | Unpack(content):
            return content.size
        case InlineFile(data):
            return len(data)
        case _:
            return 0
