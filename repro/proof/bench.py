"""A bench of real images: each mixture is given to the engine and run there, sealed as in a verification."""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.engines.failures import engine_errors
from repro.engines.model import Engine, RunOutcome
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.files import disk_errors
from repro.oci.image import Image
from repro.oci.write_layout import write_layout
from repro.progress import Progress, Silent
from repro.proof.journal import Measured
from repro.proof.mixtures import CannotMixError, Mixtures
from repro.proof.sealed import sealed_spec
from repro.proof.smallest import Names
from repro.runner.documents import RunRecord
from repro.store.cache import cache_directory
from repro.transfer.load import load
from repro.verify.judge import Judgement
from repro.verify.mounts import Brought, bring_mounted
from repro.verify.record import read_record

_NAME = "repro-bisect"
"""Of images in an engine, as long as a search runs."""
_PLACE = "bisect"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take: seconds and bytes; None for what the lock, or else the engine, allows."""

    timeout: float | None = None
    memory: int | None = None


@dataclass
class ImageBench:
    """Measures mixtures by running them (`repro.proof.bisect.Bench`). Use it with `with`: it leaves nothing behind.

    Attributes:
        mixtures: Makes the images.
        metric: Name of the metric.
        engines: Gives each thread an engine of its own.
        limits: Of each run.
        jobs: Runs at the same time, which share the engine's memory.
        data: Folder of the files that images lack.
        progress: Told when they are hashed.
    """

    mixtures: Mixtures
    metric: str
    engines: Callable[[], Engine]
    limits: Limits
    jobs: int
    data: Path
    progress: Progress
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _tags: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        brought = bring_mounted(self.mixtures.one.lock, self.data, self.progress)
        if isinstance(brought, Judgement):
            raise UsageError(brought.reason, where=str(self.data), fix=brought.fix)
        self._brought: Brought = brought
        place = cache_directory() / _PLACE  # on the disk of the layers, which are linked there
        with disk_errors(place):
            place.mkdir(parents=True, exist_ok=True)
            self._layout = Path(tempfile.mkdtemp(dir=place))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._layout, ignore_errors=True)
        engine = self.engines() if self._tags else None
        if isinstance(engine, DockerEngine):
            for tag in self._tags:
                with contextlib.suppress(InfrastructureError), engine_errors("remove an image", tag):
                    engine.client.images.remove(tag)

    def measure(self, names: Names) -> Measured:
        """See `repro.proof.bisect.Bench.measure`."""
        engine = self.engines()
        with self._turn:
            try:
                image, digest = self.mixtures.image(names)
            except CannotMixError as error:
                return Measured(None, f"it can't be installed: {error}", ran=False)
            reference = self._placed(engine, image, digest)
        lock, timeout = self.mixtures.one.lock, self.limits.timeout
        run = engine.run(sealed_spec(lock, reference, self._brought, timeout=timeout, memory=self._memory(engine)))
        try:
            return self._measured(run, digest)
        finally:
            if run.collected is not None:
                shutil.rmtree(run.collected, ignore_errors=True)

    def _placed(self, engine: Engine, image: Image, digest: Digest) -> str:
        """The ID of the image in the engine, where it is now."""
        if isinstance(engine, DockerEngine):
            tag = f"{_NAME}:{digest.short}"
            self._tags.append(tag)
            return load(engine, image, tags=[tag], progress=Silent()).id
        write_layout([image], self._layout, references=[digest.short])
        found = engine.image(f"oci:{self._layout}:{digest.short}")
        if found is None:
            raise InfrastructureError("the engine doesn't find the image that was made for it", where=str(self._layout))
        return found.id

    def _memory(self, engine: Engine) -> int | None:
        share = engine.info().memory * 9 // 10 // self.jobs
        return self.limits.memory or self.mixtures.one.lock.policy.memory or share or None

    def _measured(self, run: RunOutcome, digest: Digest) -> Measured:
        try:
            record = read_record(run.collected)
        except IntegrityError as error:
            return Measured(None, error.what, run.seconds)
        if run.timed_out:
            return Measured(None, f"it was stopped after {run.seconds:.0f} s", run.seconds)
        if record is None or record.lock_digest != str(digest):
            return Measured(None, f"the run ended with exit code {run.exit_code} and left no record", run.seconds)
        value = next((metric.value for metric in record.metrics if metric.name == self.metric), None)
        return Measured(value, "" if value is not None else _why(record, self.metric), run.seconds)


def _why(record: RunRecord, metric: str) -> str:
    if record.failure is None:
        return f"it reports no {metric}"
    cell = "" if record.failure.cell is None else f"cell {record.failure.cell}: "
    return f"it fails: {cell}{record.failure.message}"
