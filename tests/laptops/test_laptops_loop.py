"""From a laptop of every kind to a verdict: capture in the tool's own environment, build, verify, every bit equal."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from repro.engines import ImageInfo
from repro.lock import load_lock
from tests.laptops.conftest import Laptop

pytestmark = pytest.mark.base

CELL = """
import json, math, random, IPython
random.seed(3)
values = [math.exp(random.gauss(0, 1)) for _ in range(1000)]
json.dump({"mean": math.fsum(values) / 1000, "ipython": IPython.__version__}, open("metrics.json", "w"))
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all laptops: what differs between them isn't what is downloaded and compiled."""
    return tmp_path_factory.mktemp("laptops-cache")


def repro(laptop: Laptop, cache: Path, *args: str | Path) -> str:
    command = [sys.executable, "-m", "repro", *map(str, args)]
    environ = {**laptop.environ, "REPRO_CACHE_DIR": str(cache)}
    done = subprocess.run(
        command, cwd=laptop.project, env=environ, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{laptop.tool}: {args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_what_is_captured_there_is_verified(laptop: Laptop, base_image: ImageInfo, cache: Path, tmp_path: Path) -> None:
    notebook = laptop.project / "notebooks" / "loop.ipynb"
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(content, notebook)
    (laptop.project / "repro.toml").write_text(f"[base]\nimage = '{base_image.tags[0]}'\n")
    layout = f"oci:{tmp_path / 'images'}"
    repro(laptop, cache, "capture", notebook)
    repro(laptop, cache, "build", "-o", layout, "-t", "laptop:1")
    repro(laptop, cache, "verify", f"{layout}:laptop:1", "--engine", "bubblewrap", "--report", "json=verdict.json")
    lock, _ = load_lock(laptop.project / "repro.lock")
    assert {"ipykernel", "ipython"} <= {package.name for package in lock.packages}
    verdict = json.loads((laptop.project / "verdict.json").read_bytes())
    assert verdict["outcome"] == "verified"
    assert {metric["name"]: metric["status"] for metric in verdict["metrics"]} == {"mean": "same", "ipython": "same"}
