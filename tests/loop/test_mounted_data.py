"""Data that stays out of the image: captured, built without it, and brought to every run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from repro.errors import ExitCode
from repro.lock import load_lock
from tests.loop.conftest import Done, make_script, repro

pytestmark = pytest.mark.engine

TAG = "repro-test/mounted-data:1"
DATA = {"data/big/1.csv": "1,2\n", "data/big/deep dir/2.csv": "3,4\n", "data/small.csv": "5,6\n"}
READ = f"metrics['sum'] = sum(int(n) for p in {sorted(DATA)} for n in open(p).read().split(','))"


def docker(*args: str) -> Done:
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("base_image")
def test_mounted_data_is_not_in_the_image_and_comes_to_every_run(tmp_path: Path, bare_python: Path) -> None:
    root = make_script(tmp_path / "project", bare_python, READ)
    for path, text in DATA.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    tmp_path.chmod(0o755)
    assert (done := repro(root, "capture", "evaluate.py", "--mount", "data/big/**")).code == 0, done
    lock, _ = load_lock(root / "repro.lock")
    assert {file.path for file in lock.files if file.mount} == {"data/big/1.csv", "data/big/deep dir/2.csv"}
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(root / "data", elsewhere / "data")
    shutil.rmtree(root / "data/big")
    try:
        assert (done := repro(root, "build", "-t", TAG)).code == 0, done  # needs none of it
        _verifies_with_the_data_alone(root, elsewhere)
        _runs_with_the_data_alone(elsewhere)
    finally:
        docker("rmi", "-f", TAG)


def _verifies_with_the_data_alone(root: Path, elsewhere: Path) -> None:
    done = repro(root, "verify", TAG)
    assert done.code == ExitCode.NOT_COMPARABLE, done
    assert "data/big/1.csv" in done.out
    assert "--data" in done.out
    done = repro(root, "verify", TAG, "--data", elsewhere)
    assert done.code == 0, done
    (elsewhere / "data/big/1.csv").write_text("1,3\n")
    done = repro(root, "verify", TAG, "--data", elsewhere)
    assert done.code == ExitCode.TAMPERED, done
    assert "data/big/1.csv" in done.out
    (elsewhere / "data/big/1.csv").write_text(DATA["data/big/1.csv"])


def _runs_with_the_data_alone(elsewhere: Path) -> None:
    done = docker("run", "--rm", TAG)
    assert done.code == ExitCode.NOT_COMPARABLE, done
    assert 'docker run -v "$PWD:/opt/mounted:ro" IMAGE' in done.out
    assert "data/big/deep dir/2.csv: 4 bytes" in done.out
    done = docker("run", "--rm", "-v", f"{elsewhere}:/opt/mounted:ro", TAG)
    assert done.code == 0, done
    (elsewhere / "data/big/1.csv").write_text("1,3\n")
    done = docker("run", "--rm", "-v", f"{elsewhere}:/opt/mounted:ro", TAG)
    assert done.code == ExitCode.TAMPERED, done
    assert "data/big/1.csv: expected sha256" in done.out
