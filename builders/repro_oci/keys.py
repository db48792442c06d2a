"""What decides a layer's bytes, as one digest: the key under which it is cached."""

import functools
import hashlib
import json
from collections.abc import Iterable
from importlib import resources

from repro.conda import FORMAT as CONDA_FORMAT
from repro.digest import Digest
from repro.lock import Encoding
from repro.oci import encodings
from repro.plan import (
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Content,
    Deb,
    Directory,
    InlineFile,
    Item,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
    layout,
)
from repro.plan.conda import below_scripts, compiles_linked, conda_python
from repro.plan.versions import minor_version

_SCRIPTS, _WORKER = "known-scripts.toml", "compile_worker.py"
FORMAT = 1
"""Version of the assembler's output. Raised whenever the same plan would give other bytes; part of every cache key."""


def layer_key(layer: Layer, plan: BuildPlan, base: Digest, encoding: Encoding | None = None) -> str:
    """The key of a layer: hex digits of a sha256.

    Args:
        layer: The layer.
        plan: What it is part of.
        base: Digest of the base's configuration; counts only where the layer depends on the base's content.
        encoding: Another encoding than the plan's.
    """
    return items_key(layer.items, plan, base, encoding or plan.encoding)


def items_key(items: Iterable[Item], plan: BuildPlan, base: Digest, encoding: Encoding) -> str:
    """The key of anything made from these items (see `layer_key`)."""
    described = [_describe(item, plan, base) for item in items]
    return _hash([FORMAT, encodings.FORMAT, encoding, encodings.compressor(encoding), described])


def image_key(layers: Iterable[str], base: Digest) -> str:
    """The key of a whole image: layers in order on a base."""
    return _hash([FORMAT, str(base), *layers])


def _describe(item: Item, plan: BuildPlan, base: Digest) -> list[object]:
    match item:
        case Wheel():
            where = [str(item.prefix), str(layout.ENVIRONMENT), minor_version(plan.python_version)]
            return ["wheel", item.file.sha256.hex, item.file.name, *where, item.requested]
        case Deb(package):
            return ["deb", package.sha256.hex, package.skip_scripts, base.hex, _source("repro.debian", _SCRIPTS)]
        case CondaLink():
            return _describe_conda(item)
        case CondaScripts(links):
            from repro_oci.script_changes import FORMAT as SCRIPTS_FORMAT  # noqa: PLC0415 - few images have any

            below = [_describe(one, plan, base) for _, one in below_scripts(plan)]
            names = [link.package.name for link in links]
            return ["scripts", SCRIPTS_FORMAT, base.hex, names, below, compiles_linked(plan)]
        case Compile(source, modules):
            return ["compile", _describe(source, plan, base), modules, python_key(plan, base)]
        case _:
            return _describe_plain(item)


def _describe_conda(link: CondaLink) -> list[object]:
    """What decides a linked package: itself, where it goes, and what its record repeats from the lock."""
    one = link.package
    patched = [[patch.path, patch.sha256.hex, patch.executable] for patch in one.patched]
    place = [str(layout.ENVIRONMENT), link.site_packages]
    named = [one.file, one.url, one.channel, one.subdir, one.md5, one.depends, one.requested]
    return ["conda", CONDA_FORMAT, one.sha256.hex, *place, *named, one.without, patched, one.scripts]


def _describe_plain(item: ProjectFile | InlineFile | Directory | Link | Unpack) -> list[object]:
    match item:
        case ProjectFile(content, destination, mode):
            return ["file", content.sha256.hex, str(destination), mode]
        case InlineFile(data, destination, mode):
            return ["inline", Digest.of(data).hex, str(destination), mode]
        case Directory(destination, mode):
            return ["directory", str(destination), mode]
        case Link(destination, target):
            return ["link", str(destination), target]
        case Unpack(content):
            return ["tar", content.sha256.hex]


def python_key(plan: BuildPlan, base: Digest) -> str:
    """Which interpreter compiles: the packed one by its tar, conda's by its package, else the base's by the base."""
    packed, conda = packed_tar(plan), conda_python(plan)
    interpreter = packed.sha256.hex if packed else f"{base.hex}{plan.python}"
    if conda is not None:
        interpreter = _hash(_describe_conda(conda))
    return f"{interpreter}{_source('repro.plan', _WORKER)}"


def packed_tar(plan: BuildPlan) -> Content | None:
    """The packed interpreter's tar, where the plan has one."""
    found = (item.content for layer in plan.layers for item in layer.items if isinstance(item, Unpack))
    return next(found, None)


@functools.cache
def _source(package: str, name: str) -> str:
    """Digest of a file of ours that decides bytes and changes more often than the format."""
    return Digest.of(resources.files(package).joinpath(name).read_bytes()).hex


def _hash(document: object) -> str:
    return hashlib.sha256(json.dumps(document, separators=(",", ":"), sort_keys=True).encode()).hexdigest()
