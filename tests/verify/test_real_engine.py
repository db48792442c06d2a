"""The seal and the limits, seen from inside a container of the real engine.

The runner in these images is a few lines that look around and leave a record; `tests/loop` has the real one.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repro.engines import Engine, ImageInfo
from repro.lock import Baseline, Lock, Metric, Policy, Python, parse_lock, render_body, render_lock
from repro.plan import layout, make_plan, runner_digest
from repro.progress import Silent
from repro.runner.compare import SAME
from repro.verify.model import Outcome
from repro.verify.stage import verify
from tests.lock.samples import plain_lock
from tests.verify.samples import baked_files

pytestmark = pytest.mark.engine

RUNNER = b"""
import json, os, pathlib, platform, socket, sys, time
evaluation = json.loads(pathlib.Path("/opt/repro/evaluation.json").read_bytes())
def allowed(work):
    try:
        work()
    except OSError:
        return False
    return True
print("kernel ready, 1 code cells", flush=True)
mode = evaluation["environment"]["MODE"]
if mode == "hog":
    hog = [bytearray(1 << 24) for _ in range(1 << 10)]
while mode == "sleep":
    time.sleep(1)
if mode == "silent":
    sys.exit("last words")
seen = {
    "network": allowed(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "root": allowed(lambda: pathlib.Path("/opt/repro/new").write_text("x")),
    "work": allowed(lambda: pathlib.Path("/work/new").write_text("x")),
    "superuser": os.geteuid() == 0,
    "interfaces": ",".join(name for _, name in socket.if_nameindex()),
}
metrics = [
    {"name": name, "source": "cell:1", "value": {"type": type(value).__name__, "text": str(value).lower()}}
    for name, value in seen.items()
]
record = {"schema": "repro.run/1", "lock_digest": evaluation["lock_digest"], "metrics": metrics, "failure": None,
          "warnings": [], "cells": [], "python_version": platform.python_version(), "packages": {}}
pathlib.Path("/out/record.json").write_text(json.dumps(record))
print("[1/1] looked around 0.0 s", flush=True)
"""
SEALED = (
    Metric("interfaces", "lo", "cell:1"),
    Metric("network", value=False, source="cell:1"),
    Metric("root", value=False, source="cell:1"),
    Metric("superuser", value=False, source="cell:1"),
    Metric("work", value=True, source="cell:1"),
)


def lock_on(base: ImageInfo, mode: str) -> Lock:
    python, path = base.labels["dev.repro.base.python"], base.labels["dev.repro.base.python-path"]
    lock = plain_lock()
    changed = replace(
        lock,
        baseline=Baseline(rerun=True),
        targets=(base.platform,),
        python=Python("cpython", python, "base"),
        base=replace(lock.base, python=python, python_path=path),
        environment=replace(lock.environment, variables={"MODE": mode}),
        policy=Policy(60.0, None, None, allow_patch_drift=False, metrics_files=()),
        metrics=SEALED,
        files=(),
        packages=(),
        runner=replace(lock.runner, sha256=runner_digest({"__main__.py": RUNNER})),
    )
    return parse_lock(render_lock(changed))


@pytest.fixture
def image(request: pytest.FixtureRequest, base_image: ImageInfo, tmp_path: Path) -> Iterator[tuple[str, Lock]]:
    """The image of a lock, made by hand; removed afterwards."""
    lock = lock_on(base_image, request.param)
    for path, data in {**baked_files(lock), "repro_runner/__main__.py": RUNNER}.items():
        if not path.startswith("repro_runner/hook"):
            target = tmp_path / "repro" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    config = make_plan(lock, render_body(lock), {"__main__.py": RUNNER}).config
    lines = [
        f"FROM {base_image.id}",
        f"COPY repro {layout.RUNNER}",
        "USER 0",
        f"RUN mkdir {layout.WORK} {layout.OUT} && chmod 1777 {layout.WORK} {layout.OUT}",
        *(f"ENV {name}={json.dumps(value)}" for name, value in config.env.items()),
        *(f"LABEL {name}={json.dumps(value)}" for name, value in config.labels.items()),
        f"USER {config.user}",
        f"ENTRYPOINT {json.dumps(config.entrypoint)}",
    ]
    (tmp_path / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
    tag = f"repro-test/verify-{request.param}:1"
    subprocess.run(["docker", "build", "-q", "-t", tag, tmp_path], check=True, capture_output=True)
    yield tag, lock
    subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)


@pytest.mark.parametrize("image", ["look"], indirect=True)
def test_a_run_is_sealed(image: tuple[str, Lock], engine: Engine, tmp_path: Path) -> None:
    tag, lock = image
    verdict = verify(
        tag,
        lock=(lock, render_body(lock)),
        engine=engine,
        timeout=None,
        memory=None,
        project=tmp_path / "project",
        progress=Silent(),
    )
    assert {item.name: item.status for item in verdict.metrics} == {metric.name: SAME for metric in SEALED}
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.evidence is not None
    assert (Path(verdict.evidence) / "record.json").is_file()
    assert "looked around" in (Path(verdict.evidence) / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("image", "timeout", "outcome"),
    [
        ("hog", 300.0, Outcome.OUT_OF_MEMORY),
        ("sleep", 5.0, Outcome.TIMED_OUT),
        ("silent", 300.0, Outcome.EVALUATION_FAILED),
    ],
    indirect=["image"],
)
def test_a_run_that_never_reports(image: tuple[str, Lock], timeout: float, outcome: Outcome, engine: Engine) -> None:
    tag, lock = image
    verdict = verify(
        tag,
        lock=(lock, render_body(lock)),
        engine=engine,
        timeout=timeout,
        memory=256 << 20,
        project=None,
        progress=Silent(),
    )
    assert verdict.outcome is outcome
    assert (outcome is not Outcome.EVALUATION_FAILED) or (verdict.run and "last words" in verdict.run.log)
