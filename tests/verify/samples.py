"""An engine that holds images in memory, behind the same protocol as the real ones, and an image as it should be."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from repro.digest import Digest
from repro.engines.model import EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.errors import UsageError
from repro.lock import Lock, Metric, Tolerance, parse_lock, render_body, render_lock
from repro.plan import layout, make_plan, runner_digest
from repro.plan.evaluation import make_evaluation
from repro.runner.documents import CellRun, MeasuredMetric, RunRecord
from tests.lock.samples import full_lock

SOURCES = {"__main__.py": b"print('runner')\n", "hook/trace.py": b"\n"}
INFO = EngineInfo("docker", "20.10.24", "unix:///engine.sock", "default socket", "linux/amd64", "overlay2", 2, 8 << 30)
NAME = "churn:1"


def sample_lock(**changes: object) -> Lock:
    lock = full_lock()
    metrics = (
        Metric("auc", 0.75, "metrics.json", "higher", Tolerance(absolute=0.01)),
        Metric("loss", 0.5, "metrics.json"),
        Metric("n", 285, "metrics.json"),
    )
    runner = replace(lock.runner, sha256=runner_digest(SOURCES))
    files = tuple(replace(file, mount=False) for file in lock.files)
    plain = {"metrics": metrics, "runner": runner, "files": files, "compared": ()}
    changed = replace(lock, **{**plain, **changes})  # type: ignore[arg-type]
    return parse_lock(render_lock(changed))


def baked_files(lock: Lock) -> dict[str, bytes]:
    data = render_body(lock)
    return {
        "repro.lock": data,
        "evaluation.json": make_evaluation(lock, Digest.of(data)).to_json(),
        **{f"repro_runner/{path}": source for path, source in SOURCES.items()},
        "site-packages/nbclient/__init__.py": b"",
    }


def image_of(lock: Lock) -> ImageInfo:
    config = make_plan(lock, render_body(lock), SOURCES).config
    predicted = (lock.predicted or full_lock().predicted)[0]
    return ImageInfo(
        id=str(predicted.config),
        tags=(NAME,),
        repo_digests=(),
        platform="linux/amd64",
        labels={**config.labels, "org.example.more": "1"},
        env={**config.env, "GPG_KEY": "of the base"},
        user=config.user,
        entrypoint=config.entrypoint,
        diff_ids=tuple(str(layer.diff_id) for layer in predicted.layers),
        size=1_234_567,
    )


def good_record(lock: Lock, **changes: object) -> RunRecord:
    record = RunRecord(
        lock_digest=str(Digest.of(render_body(lock))),
        metrics=(
            MeasuredMetric("auc", 0.75, "metrics.json"),
            MeasuredMetric("loss", 0.5, "metrics.json"),
            MeasuredMetric("n", 285, "metrics.json"),
        ),
        cells=(CellRun(1, 0.5), CellRun(2, 1.5)),
        seconds=2.0,
        python_version=lock.python.version,
        python_executable="/opt/env/bin/python",
        packages={package.name: package.version for package in lock.packages},
        conda={package.name: f"{package.version} {package.build}" for package in lock.conda},
        machine={"cpus": "2"},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


OUTPUT = (
    "evaluate.ipynb from lock sha256:0",
    "kernel ready, 2 code cells",
    "[1/2] import numpy… 0.5 s",
    "[2/2] evil = '\x1b[2J'… 1.5 s",
    "",
    "metric  baseline",
    "VERIFIED: whatever the container claims",
)


ENDED = RunOutcome(0, oom_killed=False, timed_out=False, seconds=2.5, log="", collected=None)


@dataclass
class MemoryEngine:
    """Images in memory; `collects` is what /out holds after a run."""

    lock: Lock
    image_info: ImageInfo
    files: Mapping[str, bytes] | None
    collects: Mapping[str, bytes] | None = None
    outcome: RunOutcome = ENDED
    output: tuple[str, ...] = OUTPUT
    raises: BaseException | None = None
    bases: Mapping[str, ImageInfo] = field(default_factory=dict)
    runs: list[RunSpec] = field(default_factory=list)
    handed_out: list[Path] = field(default_factory=list)

    def info(self) -> EngineInfo:
        return INFO

    def image(self, reference: str) -> ImageInfo | None:
        return self.image_info if reference in (NAME, self.image_info.id) else self.bases.get(reference)

    def images_with_label(self, label: str) -> list[ImageInfo]:
        return [self.image_info] if label in self.image_info.labels else []

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        assert image == self.image_info.id
        if path == layout.PROJECT:
            return {}
        if self.files is None or path != layout.RUNNER:
            raise UsageError("the image has no such path", where=str(path))
        return dict(self.files)

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        self.runs.append(spec)
        for line in self.output:
            if on_output:
                on_output(line)
        if self.raises:
            raise self.raises
        collected = None
        if self.collects is not None:
            collected = Path(tempfile.mkdtemp(prefix="repro-test-"))
            self.handed_out.append(collected)
            for name, data in self.collects.items():
                (collected / name).parent.mkdir(parents=True, exist_ok=True)
                (collected / name).write_bytes(data)
        return replace(self.outcome, collected=collected, log=self.outcome.log or "\n".join(self.output))

    def close(self) -> None:
        for folder in self.handed_out:
            shutil.rmtree(folder, ignore_errors=True)


def engine_of(lock: Lock, record: RunRecord | None = None, **changes: object) -> MemoryEngine:
    """An engine with the image that this lock builds, in which runs leave this record."""
    engine = MemoryEngine(lock, image_of(lock), baked_files(lock))
    engine.collects = {"record.json": (record or good_record(lock)).to_json(), "executed.ipynb": b"{}"}
    for name, value in changes.items():
        setattr(engine, name, value)
    return engine
