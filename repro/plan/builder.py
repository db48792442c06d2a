"""What a builder is: found through the entry-point group `repro.builders`, given a plan and checked artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.digest import Digest
from repro.plan.model import BuildPlan
from repro.progress import Progress

Artifacts = Mapping[Digest, Path]
"""A local file for every `Content` and wheel of a plan, each already checked against its digest."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that now exists.

    Attributes:
        id: Image ID in the engine, `sha256:…`.
        tags: Names it was given.
        size: Bytes of all its layers, unpacked.
        engine: Which engine holds it.
    """

    id: str
    tags: tuple[str, ...]
    size: int
    engine: str


class Builder(Protocol):
    """Turns a plan into an image. It adds nothing to the plan and leaves nothing behind but the image."""

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
