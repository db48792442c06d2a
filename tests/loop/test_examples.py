"""Both examples, each in the environment that its README says, from capture to a verdict with every bit equal."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repro.engines import ImageInfo
from repro.lock import load_lock
from tests.conftest import ROOT
from tests.loop.conftest import repro

pytestmark = pytest.mark.engine

EXAMPLES = {
    "breast-cancer": ("breast_cancer.ipynb", {"breast_cancer.ipynb": "notebook", "features.py": "code"}),
    "house-prices": (
        "evaluate.ipynb",
        {
            "data/holdout.parquet": "data",
            "evaluate.ipynb": "notebook",
            "housing/__init__.py": "code",
            "housing/features.py": "code",
            "housing/scores.py": "code",
            "models/house-prices.ubj": "model",
        },
    ),
}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the examples' environments are pinned for Python 3.11")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_verified_bit_for_bit(name: str, tmp_path: Path, base_image: ImageInfo) -> None:
    notebook, files = EXAMPLES[name]
    root = tmp_path / name
    ignored = shutil.ignore_patterns(".venv", ".repro", "repro.lock", "metrics.json")
    shutil.copytree(ROOT / "examples" / name, root, ignore=ignored)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, root / ".venv"], check=True)
    install = [*uv, "pip", "install", "-q", "--python", root / ".venv", "-r", root / "requirements.txt"]
    subprocess.run(install, check=True)
    tag = f"repro-test/example-{name}:1"
    try:
        for args in (["capture", notebook], ["build", "-t", tag], ["verify", tag, "--report", "json=verdict.json"]):
            done = repro(root, *args)
            assert done.code == 0, done
    finally:
        subprocess.run(["docker", "rmi", "-f", tag], check=False, capture_output=True)
    lock, _ = load_lock(root / "repro.lock")
    assert {file.path: file.role for file in lock.files} == files
    machine = lock.evidence.machine
    assert machine is not None
    assert {"openblas"} <= {one.name for one in machine.libraries if one.version and one.threads}
    verdict = json.loads((root / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["outcome"] == "verified"
    assert {metric["name"]: metric["status"] for metric in verdict["metrics"]} == dict.fromkeys(
        (metric.name for metric in lock.metrics), "same"
    )
    assert len(lock.metrics) == 4
