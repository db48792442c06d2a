"""What the lock says an image must be, against what was made; and images that are known before they are made."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from repro import __version__
from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import PredictedImage, PredictedLayer
from repro.oci.encodings import MEDIA_TYPES
from repro.oci.image import Descriptor, Image
from repro.plan import BuildPlan
from repro_oci.config import MadeLayer, base_layers, image_config, image_manifest
from repro_oci.image import AssembledImage, prefetch_base
from repro_oci.keys import FORMAT

_AGAIN = "Build with the repro that captured, or capture again and review what changes in the lock."


def predict(image: AssembledImage, *, blobs: bool) -> PredictedImage:
    """State an image for the lock.

    Args:
        image: As it was assembled.
        blobs: Whether its encoding gives the same blobs everywhere (`repro.oci.encodings.reproducible`).
    """
    layers = tuple(
        PredictedLayer(
            name, cached.blob.diff_id, cached.blob.digest if blobs else None, cached.blob.size if blobs else None
        )
        for name, cached in zip(image.names, image.own, strict=True)
    )
    return PredictedImage(image.platform, FORMAT, image.identity, image.digest if blobs else None, layers)


def differences(image: AssembledImage, predicted: PredictedImage) -> list[str]:
    """Each layer and document that isn't as predicted, and what about it."""
    return [
        *_layers(image, predicted.layers),
        *_differ("the configuration", predicted.config, image.identity),
        *_differ("the manifest", predicted.manifest, image.digest),
    ]


def prove(image: AssembledImage, predicted: PredictedImage) -> None:
    """Refuse an image that isn't bit for bit what was predicted.

    Raises:
        IntegrityError: `problems` names each layer that differs, and what about it.
    """
    _check_format(predicted)
    problems = differences(image, predicted)
    if problems:
        raise IntegrityError(
            "the image is not the one that the lock predicts",
            where="repro.lock: predicted",
            problems=problems,
            fix="Its inputs are what the lock says, each was hashed; so the prediction was edited, or this repro "
            f"({__version__}) assembles otherwise. {_AGAIN}",
        )


def _check_format(predicted: PredictedImage) -> None:
    if predicted.format != FORMAT:
        raise IntegrityError(
            f"the lock predicts an image of format {predicted.format}, this repro makes format {FORMAT}",
            where="repro.lock: predicted.format",
            fix=_AGAIN,
        )


def _layers(image: AssembledImage, predicted: Sequence[PredictedLayer]) -> Iterator[str]:
    made = dict(zip(image.names, image.own, strict=True))
    for layer in predicted:
        cached = made.pop(layer.name, None)
        if cached is None:
            yield f"layer {layer.name}: predicted, but the lock's plan has no such layer"
            continue
        yield from _differ(f"layer {layer.name}, files", layer.diff_id, cached.blob.diff_id)
        if layer.diff_id == cached.blob.diff_id:
            yield from _differ(f"layer {layer.name}, compressed", layer.blob, cached.blob.digest)
    yield from (f"layer {name}: not predicted" for name in made)


def _differ(what: str, predicted: Digest | None, made: Digest) -> Iterator[str]:
    if predicted is not None and predicted != made:
        yield f"{what}: predicted {predicted}, made {made}"


@dataclass(slots=True)
class ForetoldImage:
    """An image known from its prediction (`repro.oci.image.Image`): its layers are made when one is opened.

    What already has these digests, a registry or an engine, is never sent a layer, and then none is made.
    """

    manifest: bytes
    config: bytes
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[Digest, ...]
    platform: str
    base: Image
    make: Callable[[], AssembledImage]
    made: AssembledImage | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    def open_layer(self, number: int) -> BinaryIO:
        """The blob of a layer (see `Image.open_layer`); raises as assembling and proving do."""
        if number < len(self.base.layers):
            return self.base.open_layer(number)
        with self.turn:  # several layers may be opened at a time
            if self.made is None:
                self.made = self.make()
        return self.made.open_layer(number)

    def prefetch(self, numbers: Iterable[int]) -> None:
        """Have the base bring those of its layers, several at a time (`repro.oci.sources.prefetch`)."""
        prefetch_base(self.base, numbers)


def foretell(
    plan: BuildPlan, base: Image, predicted: PredictedImage, make: Callable[[], AssembledImage]
) -> ForetoldImage | None:
    """The predicted image without making it; None where the prediction leaves out what only making it shows.

    Raises:
        IntegrityError: The prediction doesn't agree with itself or with the plan.
    """
    _check_format(predicted)
    comments = {layer.name: layer.comment for layer in plan.layers}
    if [layer.name for layer in predicted.layers if layer.blob is not None] != list(comments):
        return None
    described = [
        MadeLayer(layer.name, comments[layer.name], layer.diff_id, _descriptor(layer.blob, layer.size, plan))
        for layer in predicted.layers
        if layer.blob is not None
    ]
    config = image_config(plan, base, described)
    manifest = image_manifest(base, config, described)
    if Digest.of(config) != predicted.config or Digest.of(manifest) != predicted.manifest:
        return None  # making it will show where they differ
    return ForetoldImage(
        manifest=manifest,
        config=config,
        layers=(*base_layers(base), *(layer.descriptor for layer in described)),
        diff_ids=(*base.diff_ids, *(layer.diff_id for layer in described)),
        platform=plan.target,
        base=base,
        make=make,
    )


def _descriptor(blob: Digest, size: int | None, plan: BuildPlan) -> Descriptor:
    return Descriptor(MEDIA_TYPES[plan.encoding], blob, size or 0)
