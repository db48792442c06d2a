"""All that is known of the files of one run, from the three sides that saw it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from repro.capture.snapshot import Snapshot
from repro.capture.tracing.seen import WatchedFiles


class Trace(Protocol):
    """What is needed of `repro.runner.trace.Trace`: absolute paths with monotonic nanoseconds."""

    @property
    def reads(self) -> Mapping[str, int]:
        """File → when first opened for reading."""

    @property
    def writes(self) -> Mapping[str, int]:
        """File → when first written, created or moved there."""

    @property
    def listed(self) -> Mapping[str, int]:
        """Folder → when its entries were first listed."""

    @property
    def entered(self) -> Mapping[str, int]:
        """Folder → when it first became a working directory."""

    @property
    def made(self) -> Mapping[str, int]:
        """Folder → when it was first made, or was to be."""

    @property
    def modules(self) -> Mapping[str, str]:
        """Imported module → its file."""


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """All that is known of the files of one run.

    Attributes:
        trace: What Python's audit hook reported.
        watched: What the system reported.
        before: The project before the run.
        after: The project after it; the same as `before` when nothing was run.
    """

    trace: Trace
    watched: WatchedFiles
    before: Snapshot
    after: Snapshot
