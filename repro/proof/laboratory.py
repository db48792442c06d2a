"""Experiments with one image: sealed runs that are marked as such and never count as a verification."""

import shutil
from dataclasses import asdict, dataclass, field

from repro.digest import Digest
from repro.engines.model import Engine, RunOutcome
from repro.errors import ExitCode, IntegrityError, UsageError
from repro.lock import Lock
from repro.progress import Progress
from repro.proof.protocol import Ran
from repro.proof.sealed import sealed_spec
from repro.runner.documents import MeasuredMetric, RunRecord
from repro.runner.experiment import Experiment
from repro.verify.mounts import Brought
from repro.verify.record import read_record
from repro.verify.repeats import Shown, read_shown


@dataclass
class ImageLaboratory:
    """Runs experiments (`repro.proof.protocol.Laboratory`) in an image that was verified to be the lock's.

    Attributes:
        engine: Where it is.
        image: Its ID.
        lock: What it was made from.
        digest: The lock's digest, which every record must repeat.
        brought: Files that it lacks.
        timeout: Seconds; None for the lock's limit and a little more.
        memory: Bytes, as in the verification.
        progress: Told of each run.
        runs: How many there were.
        shown: What the last run showed.
        metrics: What the last run reported.
    """

    engine: Engine
    image: str
    lock: Lock
    digest: Digest
    brought: Brought
    timeout: float | None
    memory: int | None
    progress: Progress
    runs: int = 0
    shown: Shown = None
    metrics: tuple[MeasuredMetric, ...] = field(default=())

    def run(self, experiment: Experiment) -> Ran:
        """See `Laboratory.run`.

        Raises:
            UsageError: The image's runner knows no experiments.
            IntegrityError: What ran is not the experiment that was asked for.
            InfrastructureError: The engine failed.
        """
        self.runs += 1
        task = self.progress.start(f"Experiment {self.runs} with {self.lock.subject.path}")
        arguments = ("--experiment", experiment.to_json())
        spec = sealed_spec(
            self.lock, self.image, self.brought, timeout=self.timeout, memory=self.memory, args=arguments
        )
        run = self.engine.run(spec)
        try:
            self.shown = read_shown(run.collected)
            return self._ran(run, experiment)
        finally:
            task.finish(f"experiment {self.runs}: {run.seconds:.1f} s")
            if run.collected is not None:
                shutil.rmtree(run.collected, ignore_errors=True)

    def _ran(self, run: RunOutcome, experiment: Experiment) -> Ran:
        record = read_record(run.collected)
        if run.timed_out:
            return Ran({}, f"stopped after {run.seconds:.0f} s")
        if record is None:
            if run.exit_code == ExitCode.USAGE:
                raise UsageError(
                    f"the runner in the image, of repro {self.lock.runner.version}, knows no experiments",
                    fix="Capture and build again with this repro.",
                )
            return Ran({}, f"ended with exit code {run.exit_code} and left no record")
        self.metrics = record.metrics
        return self._checked(record, experiment)

    def _checked(self, record: RunRecord, experiment: Experiment) -> Ran:
        if record.failure is not None:
            return Ran({}, record.failure.message)
        if record.lock_digest != str(self.digest) or record.experiment != asdict(experiment):
            raise IntegrityError(
                "what ran in the image is not the experiment that was asked for", where="/out/record.json"
            )
        return Ran({metric.name: metric.value for metric in record.metrics})
