"""The image's own documents: configuration and manifest, from the plan, the base's and the layers' digests. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.documents import canonical, manifest_json
from repro.oci.image import (
    CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    LAYER,
    LAYER_GZIP,
    Descriptor,
    Image,
)
from repro.plan import BuildPlan

CREATED = "1980-01-01T00:00:00Z"
"""One time for every image: the same that its files carry."""

_INHERITED = ("ExposedPorts", "Volumes", "StopSignal", "Healthcheck", "Shell")
"""What a container takes over from the base's configuration, beside variables and labels."""
_MEDIA_TYPES = {DOCKER_LAYER_GZIP: LAYER_GZIP, DOCKER_LAYER: LAYER}
MOST_LAYERS = 120
"""Engines with overlay2 stop at 127."""


@dataclass(frozen=True, slots=True)
class MadeLayer:
    """A layer as the documents need it: its name and comment in the plan, and what it hashes to."""

    name: str
    comment: str
    diff_id: Digest
    descriptor: Descriptor


def image_config(plan: BuildPlan, base: Image, layers: Sequence[MadeLayer]) -> bytes:
    """The image configuration (image-spec, config.md), canonical bytes.

    Raises:
        IntegrityError: The base's configuration can't be read, or there would be too many layers.
    """
    inherited = _document(base)
    diff_ids = [*(str(one) for one in base.diff_ids), *(str(layer.diff_id) for layer in layers)]
    if len(diff_ids) > MOST_LAYERS:
        raise IntegrityError(
            f"the image would have {len(diff_ids)} layers; engines take {MOST_LAYERS}",
            where=plan.base.reference,
            fix="Choose a base with fewer layers.",
        )
    document: dict[str, Any] = {
        "architecture": inherited["architecture"],
        "os": inherited["os"],
        "created": CREATED,
        "config": _settings(plan, inherited.get("config") or {}),
        "history": [*_base_history(inherited, len(base.diff_ids)), *(_history(layer) for layer in layers)],
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    if inherited.get("variant"):
        document["variant"] = inherited["variant"]
    return canonical(document)


def image_manifest(base: Image, config: bytes, layers: Sequence[MadeLayer]) -> bytes:
    """The image manifest (image-spec, manifest.md), canonical bytes."""
    descriptor = Descriptor(CONFIG, Digest.of(config), len(config))
    return manifest_json(descriptor, [*base_layers(base), *(layer.descriptor for layer in layers)])


def base_layers(base: Image) -> list[Descriptor]:
    """The base's layers under their names in OCI's vocabulary."""
    return [Descriptor(_MEDIA_TYPES.get(one.media_type, one.media_type), one.digest, one.size) for one in base.layers]


def _document(base: Image) -> dict[str, Any]:
    document = json.loads(base.config)
    if not isinstance(document, dict) or not {"architecture", "os"} <= document.keys():
        raise IntegrityError("the base's configuration is not one of an image")
    return document


def _settings(plan: BuildPlan, inherited: dict[str, Any]) -> dict[str, Any]:
    config = plan.config
    labels: dict[str, str] = {**(inherited.get("Labels") or {}), **config.labels}
    return {
        **{name: inherited[name] for name in _INHERITED if inherited.get(name)},
        "Entrypoint": list(config.entrypoint),
        "Env": _variables(inherited.get("Env") or [], config.env),
        "Labels": labels,
        "User": config.user,
        "WorkingDir": config.workdir,
    }


def _variables(inherited: Sequence[str], ours: dict[str, str]) -> list[str]:
    """Ours replace the base's in place; the rest follows in the plan's order."""
    merged = {name: value for name, _, value in (entry.partition("=") for entry in inherited)} | ours
    return [f"{name}={value}" for name, value in merged.items()]


def _base_history(inherited: dict[str, Any], layers: int) -> list[dict[str, Any]]:
    """The base's own, where it accounts for every layer as engines demand; else one line a layer."""
    history = inherited.get("history") or []
    if sum(not entry.get("empty_layer") for entry in history) == layers:
        return list(history)
    return [{"created": CREATED, "created_by": "the base image"}] * layers


def _history(layer: MadeLayer) -> dict[str, str]:
    return {"created": CREATED, "created_by": f"repro: {layer.name}", "comment": layer.comment}
