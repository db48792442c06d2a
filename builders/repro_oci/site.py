"""Where an assembly works and whom it tells."""

from dataclasses import dataclass
from pathlib import Path

from repro.progress import Progress
from repro_oci.cache import LayerCache


@dataclass(frozen=True, slots=True)
class Site:
    """Where an assembly works.

    Attributes:
        layers: Layers that were made before.
        directory: The user's cache, for interpreters and facts about bases.
        workers: Most processes at once.
        progress: Told what happens.
    """

    layers: LayerCache
    directory: Path
    workers: int
    progress: Progress
