"""Which layer sees which reader, each really read: the audit hook, wrapped readers, the system's watcher."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.capture.tracing.hooks import observing_hooks
from repro.capture.watch import watch_files
from repro.runner.documents import Evaluation
from repro.runner.surroundings import surroundings
from repro.runner.trace import read_trace
from tests.capture.packages.installed import Venv
from tests.capture.readers.cases import CASES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system's view is inotify's")

PROGRAM = Path(__file__).with_name("cases.py")
TABLE = Path(__file__).parents[3] / "docs" / "how-to" / "what-capture-sees.md"
PACKAGES = (
    *("ipython", "pyyaml", "joblib", "numpy", "scipy", "pillow", "pandas", "openpyxl", "pyarrow", "h5py", "polars"),
    *("duckdb", "safetensors", "xgboost-cpu", "lightgbm", "netCDF4", "opencv-python-headless"),
)


@dataclass(frozen=True)
class Seen:
    """Project-relative paths by layer, and what became of each case."""

    audit: set[str]
    wrapped: set[str]
    system: set[str]
    told: dict[str, str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("readers").resolve()
    venv = Venv(folder / "venv")
    try:
        venv.uv(*PACKAGES)
    except AssertionError:  # an index that lacks one: the rest counts
        for package in PACKAGES:
            subprocess.run(
                [sys.executable, "-m", "uv", "pip", "install", "-q", "-p", venv.python, package], check=False
            )
    root = folder / "project"
    root.mkdir()
    subprocess.run([venv.python, PROGRAM, "make", root], capture_output=True, check=True)
    told = json.loads((folder / "told.json").read_text())
    audit, system = _read(venv.python, root, folder / "audit", blind=False)
    wrapped, _ = _read(venv.python, root, folder / "wrapped", blind=True)
    return Seen(audit, wrapped, system, told)


def _read(python: Path, root: Path, trace: Path, *, blind: bool) -> tuple[set[str], set[str]]:
    trace.mkdir()
    evaluation = Evaluation("script", "x.py", str(python), "")
    with surroundings(evaluation, root, trace, observing_hooks(blind=blind)) as place, watch_files(root) as watcher:
        subprocess.run([python, PROGRAM, "read", root], env=place.variables, cwd=root, capture_output=True, check=True)
    watched = {path for path, events in watcher.seen().files.items() if events.opens_before}
    return {path.removeprefix(f"{root}/") for path in read_trace(trace).reads}, watched


def _documented() -> dict[str, tuple[bool, bool, bool]]:
    rows = re.findall(r"(?m)^\| `(.+?)` \| (yes|no) \| (yes|no) \| (yes|no) \|$", TABLE.read_text(encoding="utf-8"))
    return {name: (one == "yes", two == "yes", three == "yes") for name, one, two, three in rows}


def test_the_table_for_users_has_every_reader() -> None:
    assert list(_documented()) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_each_layer_sees_what_the_table_says(seen: Seen, name: str) -> None:
    if seen.told[name] != "done":
        pytest.skip(seen.told[name])
    file = CASES[name][1]
    assert (file in seen.audit, file in seen.wrapped, file in seen.system) == _documented()[name]
