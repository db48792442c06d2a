"""What a builder is: found through the entry-point group `repro.builders`, given a plan and checked artifacts.

There are two kinds: a `Builder` has an engine build the image there, an `Assembler` makes it here and hands it over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from repro.digest import Digest
from repro.lock import PredictedImage
from repro.oci.image import Image
from repro.plan.model import BuildPlan
from repro.progress import Progress

Artifacts = Mapping[Digest, Path]
"""A local file for every `Content` and wheel of a plan, each already checked against its digest."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that now exists.

    Attributes:
        id: Digest of its configuration, `sha256:…`: the image ID in engines with graph drivers.
        tags: Names it was given.
        size: Bytes of all its layers: unpacked in an engine, as they are stored anywhere else.
        place: Where it is now: an engine, a directory, a file, a registry.
        platform: What it runs on.
        digest: Digest of its manifest, or of the index of several; None where only an engine knows it.
        proved: Whether it was made here and is bit for bit what the lock predicts; None where nothing is predicted.
    """

    id: str
    tags: tuple[str, ...]
    size: int
    place: str
    platform: str
    digest: str | None = None
    proved: bool | None = None


class Supplies(Protocol):
    """Brings what a plan names to this machine, when it is asked for and not before."""

    def bring(self, digests: Collection[Digest]) -> Artifacts:
        """A local file for each digest, its content checked.

        Raises:
            IntegrityError: Bytes differ from what the lock says.
            InfrastructureError: They are nowhere to be had.
        """
        ...


@runtime_checkable
class Healable(Protocol):
    """An image whose layers come from a cache that can be damaged."""

    def discard_damaged(self) -> bool:
        """Remove damaged layers from the cache, so that the next build makes them again; whether there were any."""
        ...


@runtime_checkable
class Assembler(Protocol):
    """Turns a plan into an image here, without an engine. The same plan on the same base gives the same bytes."""

    name: str

    def assemble(
        self,
        plan: BuildPlan,
        base: Image,
        supplies: Supplies,
        *,
        progress: Progress,
        predicted: PredictedImage | None = None,
        trust: bool = False,
        no_cache: bool = False,
    ) -> Image:
        """The image; with `predicted`, only the one that was predicted.

        With `trust`, a layer is made only when somebody opens it, and compared then: what has the predicted layers
        already, an engine or a registry, is believed to have them from an honest build.

        Raises:
            IntegrityError: An input can't be trusted, or the result is not what was predicted.
            InfrastructureError: Network, disk, or the image's Python, which has to compile, failed.
        """
        ...

    def predict(self, plan: BuildPlan, base: Image, supplies: Supplies, *, progress: Progress) -> PredictedImage:
        """Make the image and state what it is, for the lock. Raises as `assemble` does."""
        ...

    def check_reproducible(self, plan: BuildPlan, base: Image, supplies: Supplies, *, progress: Progress) -> Digest:
        """Make the image twice from nothing; the digest of its manifest. Raises IntegrityError when they differ."""
        ...


@runtime_checkable
class Builder(Protocol):
    """Has an engine turn a plan into an image. It adds nothing to the plan and leaves nothing behind but the image."""

    name: str

    def build(
        self,
        plan: BuildPlan,
        artifacts: Artifacts,
        *,
        tags: Sequence[str],
        progress: Progress,
        no_cache: bool = False,
    ) -> BuiltImage:
        """Build the image and tag it.

        Raises:
            InfrastructureError: The engine is missing, stopped midway, or refused; temporary images are removed.
            IntegrityError: The result is not what the plan says, such as another Python version in the base.
        """
        ...

    def export(self, plan: BuildPlan, artifacts: Artifacts, directory: Path) -> Path:
        """Write what a person needs to build the same by hand; returns the main file (for Docker, the Dockerfile)."""
        ...
