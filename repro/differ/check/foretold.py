"""Whether the images that a lock predicts follow from it: a lock that was edited by hand shows, without a build.

An image's configuration names the lock digest, the variables and every layer, and its own digest is in the lock. Making
it again takes the base's configuration, which captures and builds leave in the user's cache.
"""

from collections.abc import Iterator
from typing import BinaryIO

from repro_oci.config import MadeLayer, image_config
from repro_oci.keys import FORMAT

from repro.differ.check.model import PREDICTIONS, Finding
from repro.digest import Digest
from repro.errors import ReproError
from repro.lock import Lock, PredictedImage
from repro.oci.documents import parse_config
from repro.oci.image import LAYER, Descriptor
from repro.oci.sources import SourceImage
from repro.plan import make_plan, runner_digest, runner_sources
from repro.store import ObjectStore, artifact_cache
from repro.transfer.plain import kept_config


def foretold_findings(lock: Lock, body: bytes, cache: ObjectStore | None = None) -> Iterator[Finding]:
    """Each predicted image that is another one than the lock makes; nothing where that can't be told here.

    Args:
        lock: The lock.
        body: Its body's bytes.
        cache: Where documents of base images are kept; the user's cache otherwise.
    """
    if runner_digest(runner_sources()) != lock.runner.sha256:
        return
    for image in lock.predicted:
        if image.format == FORMAT and _follows(image, lock, body, cache or artifact_cache()) is False:
            what = f"the image that it predicts for {image.target} does not follow from the rest of it: it was edited"
            yield Finding("stale", "", PREDICTIONS, what, "restore it from version control, or capture again")


def _follows(image: PredictedImage, lock: Lock, body: bytes, cache: ObjectStore) -> bool | None:
    """Whether the configuration is the predicted one; None where the base's is not at hand."""
    try:
        base = kept_config(lock.base.digest, image.target, cache)
        if base is None:
            return None
        plan = make_plan(lock, body, runner_sources(), image.target)
        comments = {layer.name: layer.comment for layer in plan.layers}
        if [layer.name for layer in image.layers] != list(comments):
            return False
        layers = [
            MadeLayer(one.name, comments[one.name], one.diff_id, Descriptor(LAYER, one.diff_id, 0))
            for one in image.layers
        ]
        on = SourceImage(b"", base, (), parse_config(base).diff_ids, image.target, _unopened)
        return Digest.of(image_config(plan, on, layers)) == image.config
    except ReproError:
        return None


def _unopened(layer: Descriptor) -> BinaryIO:
    raise AssertionError(layer)  # a configuration says nothing of its base but digests
