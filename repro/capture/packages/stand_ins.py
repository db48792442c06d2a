"""What stands for an installed package that no published wheel stands for, the most faithful first.

The published wheel itself, when it has vanished from the index and is still in pip's cache; a wheel made from the
installed files; a wheel built from the index's source distribution.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.build_wheels import build_sdist
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.origins import LocalWheel, built_wheel
from repro.capture.packages.pip_cache import cached_wheel, pip_cache
from repro.capture.packages.simple import SDISTS
from repro.errors import CaptureError, IntegrityError
from repro.lock import Package
from repro.store import ObjectStore
from repro.urls import redact


@dataclass(frozen=True, slots=True)
class StandIns:
    """Makes wheels for what no index has as a wheel.

    Attributes:
        interpreter: The captured environment.
        scratch: Directory that receives wheels and is used for building.
        client: The package indexes, for source distributions.
        store: The project's object store.
        previous: The packages of the lock before, by name: what was built from source once isn't built again.
        downloads: pip's cache directory, which may not be there.
    """

    interpreter: Interpreter
    scratch: Path
    client: IndexClient
    store: ObjectStore
    previous: Mapping[str, Package] = field(default_factory=dict)
    downloads: Path = field(default_factory=pip_cache)

    def make(self, distribution: Distribution, files: Sequence[IndexFile]) -> LocalWheel:
        """The wheel for a distribution.

        Args:
            distribution: What is installed.
            files: What the indexes have of its release.

        Raises:
            CaptureError: Nothing can stand for it.
            InfrastructureError: The source can't be had, or what builds it.
        """
        sdist = next((file for file in files if file.name.endswith(SDISTS)), None)
        vanished = self._vanished(distribution) if sdist is None else None  # with a source it was built here
        if vanished is not None:
            return vanished
        try:
            return built_wheel(distribution, self.interpreter, self.scratch)
        except CaptureError:
            if sdist is None:
                raise
            return self._from_source(distribution, sdist)

    def _vanished(self, distribution: Distribution) -> LocalWheel | None:
        path = cached_wheel(distribution, self.downloads, self.scratch)
        if path is None:
            return None
        how = "the very wheel that was installed, from pip's cache"
        return LocalWheel(path, "built", f"{distribution.name}=={distribution.version}", (), how)

    def _from_source(self, distribution: Distribution, sdist: IndexFile) -> LocalWheel:
        archive = self.scratch / sdist.name
        shutil.copyfile(self.client.download(sdist), archive)
        sha256 = self.client.complete([sdist])[sdist].sha256
        place = f"{redact(sdist.url) if sdist.local_path is None else sdist.name}#sha256={sha256.hex if sha256 else ''}"
        before = self._before(distribution, place)
        if before is not None:
            return before
        path, used = build_sdist(archive, distribution, self.interpreter, self.scratch, self.scratch)
        return self._built(path, f"{place} built with {' '.join(used)}")

    def _before(self, distribution: Distribution, place: str) -> LocalWheel | None:
        """What the last capture built of the same source; another build might take newer requirements."""
        known = self.previous.get(distribution.name)
        if known is None or known.version != distribution.version or not known.source.startswith(f"{place} "):
            return None
        try:
            self.store.checked_path(known.files[0].sha256)
        except IntegrityError:
            return None
        return self._built(self.store.offer_wheel(known.files[0].sha256, known.files[0].name), known.source)

    def _built(self, path: Path, source: str) -> LocalWheel:
        doubt = "the installed files tell too little to be locked themselves, so they may differ from this build"
        return LocalWheel(path, "built", source, (doubt,), "a wheel built from its source")
