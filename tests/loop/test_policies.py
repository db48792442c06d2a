"""Every kind of policy from repro.toml to the verdict, and the image alone comes to the same end."""

import json
import subprocess
from pathlib import Path

import pytest

from repro.errors import ExitCode
from repro.lock import Tolerance, load_lock
from tests.loop.conftest import make_script, repro

pytestmark = pytest.mark.engine

LINES = (
    "where = os.environ.get('REPRO_TRACE', '')",  # the laptop's runs are told apart by their folders
    "run = next((n for n in ('run-2', 'run-3') if n in where), '') if on_laptop else 'image'",
    "metrics['rmse'] += 0 if on_laptop else 1e-12",
    "metrics['accuracy'] = 6 / 8 if on_laptop else 5 / 8",
    "metrics['drawn'] = {'': 0.5, 'run-2': 0.6, 'run-3': 0.7, 'image': 0.55}[run]",
    "metrics['fit_time'] = time.time()",
    "print('AUC: 0.90' if on_laptop else 'AUC: 0.91')",
)
POLICIES = """
[metrics]
exclude = ["*_time"]
[metrics.patterns]
auc = "AUC: ([0-9.]+)"
[metrics.policy.accuracy]
samples = 8
flips = 1
[metrics.policy.drawn]
band = true
[metrics.policy.n]
min = 300
"""
TAG = "repro-test/policies:1"


@pytest.fixture
def project(tmp_path: Path, bare_python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ON_LAPTOP", "1")
    root = make_script(tmp_path / "p", bare_python, *LINES)
    with (root / "repro.toml").open("a", encoding="utf-8") as stream:
        stream.write(POLICIES)
    return root


def test_a_band_without_runs_stops_the_capture_at_once(project: Path) -> None:
    done = repro(project, "capture", "evaluate.py")
    assert done.code == ExitCode.USAGE, done
    assert "a band follows from at least 3 runs, and 1 is asked for" in done.err
    assert not (project / "metrics.json").exists()


def test_policies_decide_and_gates_are_told_apart(project: Path) -> None:
    done = repro(project, "capture", "evaluate.py", "--runs", "3")
    assert done.code == 0, done
    assert "n 200 is under its gate ≥ 300.0, here already" in done.err + done.out
    metrics = {metric.name: metric for metric in load_lock(project / "repro.lock")[0].metrics}
    assert {name: metric.tolerance for name, metric in metrics.items()} == {
        "accuracy": Tolerance(samples=8, flips=1),
        "auc": Tolerance(digits=2),
        "drawn": Tolerance(band=True),
        "n": Tolerance(),
        "rmse": Tolerance(absolute=1e-9, relative=1e-6),
    }
    assert metrics["drawn"].band == (0.5, 0.6, 0.7)
    try:
        assert (done := repro(project, "build", "-t", TAG)).code == 0, done
        verified = repro(project, "verify", TAG, "--json")
        alone = subprocess.run(
            ["docker", "run", "--rm", "--network", "none", TAG], capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run(["docker", "rmi", "-f", TAG], check=True, capture_output=True)
    verdict = json.loads(verified.out)
    assert {metric["name"]: metric["status"] for metric in verdict["metrics"]} == {
        "accuracy": "within",
        "auc": "within",
        "drawn": "within",
        "n": "same",
        "rmse": "within",
    }
    assert verdict["metrics"][0]["flips"] == 1
    assert verdict["reason"] == (
        "5 metrics as on the laptop: 1 bit for bit, the others as tolerated, but n 200 is under its gate ≥ 300.0"
    )
    assert [(gate["metric"], gate["rule"], gate["passed"]) for gate in verdict["gates"]] == [("n", "≥ 300.0", False)]
    kinds = {finding["kind"] for finding in verdict["findings"]}
    assert "band" in kinds
    assert "extra" not in kinds
    assert verified.code == alone.returncode == ExitCode.MISMATCH, alone
    assert alone.stdout.splitlines()[-1] == (
        "NOT VERIFIED: as on the laptop, 1 bit for bit, the others within their tolerance, "
        "but n 200 is under its gate ≥ 300.0 (exit code 1)"
    )
